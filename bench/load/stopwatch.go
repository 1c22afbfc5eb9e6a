package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const ticks = 100 // USER_HZ: what /proc counts in, the same on every Linux

// stopwatch takes the time and the CPU time of processes between begin and end. Only the caller
// of `end` may read it.
type stopwatch struct {
	pids    []int
	began   time.Time
	before  [2]float64
	mine    float64
	used    [2]float64 // user and system seconds
	own     float64
	seconds float64
}

func newStopwatch(pids []int) *stopwatch {
	watch := &stopwatch{pids: pids}
	watch.begin()
	return watch
}

func (s *stopwatch) begin() {
	s.before, s.mine, s.began = cpuOf(s.pids), ownCPU(), time.Now()
}

func (s *stopwatch) end() {
	s.seconds = time.Since(s.began).Seconds()
	after := cpuOf(s.pids)
	for i := range after {
		s.used[i] = after[i] - s.before[i]
	}
	s.own = ownCPU() - s.mine
}

// cpuOf adds up the user and the system time of processes; one that is gone counts as nothing.
func cpuOf(pids []int) (sum [2]float64) {
	for _, pid := range pids {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		// The name, in parentheses, may hold anything; utime and stime are the 14th and 15th.
		fields := strings.Fields(string(raw)[strings.LastIndexByte(string(raw), ')')+1:])
		var user, system float64
		fmt.Sscan(fields[11], &user)
		fmt.Sscan(fields[12], &system)
		sum[0] += user / ticks
		sum[1] += system / ticks
	}
	return sum
}

func ownCPU() float64 {
	var usage unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}
