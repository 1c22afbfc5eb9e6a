package main

import (
	"math"
	"math/rand/v2"
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Result is what a run found; latencies in microseconds, times in seconds.
type Result struct {
	Callers   int              `json:"callers"`
	Seconds   float64          `json:"seconds"`
	Answers   int64            `json:"answers"`
	PerSecond float64          `json:"per_second"`
	P50       float64          `json:"p50"`
	P99       float64          `json:"p99"`
	P999      float64          `json:"p999"`
	Max       float64          `json:"max"`
	Errors    map[string]int64 `json:"errors"`
	LateP99   float64          `json:"late_p99"`
	User      float64          `json:"server_user"`
	System    float64          `json:"server_system"`
	Own       float64          `json:"client_cpu"`
}

// tally is what one caller saw: no lock on the way, added up at the end.
type tally struct {
	latencies histogram
	errors    map[string]int64
	answers   int64
}

func drive(callers []Caller, questions []Question, plan Plan) Result {
	start := time.Now()
	counts := start.Add(plan.Warmup)
	end := counts.Add(plan.For)
	next := closed(plan.Count, end)
	late := &histogram{}
	if plan.Rate > 0 {
		next = open(plan.Rate, plan.Count, start, end, len(callers), late)
	}
	choose := inTurn(len(questions))
	if plan.Zipf > 0 {
		choose = zipf(len(questions), plan.Zipf)
	}
	watch := newStopwatch(plan.Pids)
	if plan.Warmup > 0 {
		defer time.AfterFunc(plan.Warmup, watch.begin).Stop()
	}
	tallies := make([]*tally, len(callers))
	var running sync.WaitGroup
	for i, caller := range callers {
		tallies[i] = &tally{errors: map[string]int64{}}
		running.Add(1)
		go func() {
			defer running.Done()
			tallies[i].ask(caller, questions, choose, counts, next)
		}()
	}
	running.Wait()
	watch.end()
	return sum(tallies, watch, late)
}

// ask asks until there is nothing left to ask; what came before `counts` is not counted.
func (t *tally) ask(caller Caller, questions []Question, choose chooser, counts time.Time, next turns) {
	for {
		i, due, more := next()
		if !more {
			return
		}
		question := &questions[choose(i)]
		id := uint16(i)
		reply, err := caller.ask(question.wire, id)
		took := time.Since(due)
		if due.Before(counts) {
			continue
		}
		problem := ""
		if err != nil {
			problem = err.Error()
		} else {
			problem = question.check(id, reply)
		}
		if problem != "" {
			t.errors[problem]++
			continue
		}
		t.answers++
		t.latencies.add(took)
	}
}

// chooser says which question the turn of a number asks.
type chooser func(int64) int

func inTurn(count int) chooser {
	return func(i int64) int { return int(i % int64(count)) }
}

// zipf draws question k with a probability in proportion to 1/(k+1)^s. Draws are made beforehand, the
// same for every run, and used in turn: no caller waits for another one's random numbers.
func zipf(count int, s float64) chooser {
	sums := make([]float64, count)
	total := 0.0
	for k := range sums {
		total += math.Pow(float64(k+1), -s)
		sums[k] = total
	}
	random := rand.New(rand.NewPCG(5, 5))
	draws := make([]int32, 1<<20)
	for i := range draws {
		draws[i] = int32(sort.SearchFloat64s(sums, random.Float64()*total))
	}
	return func(i int64) int { return min(int(draws[i%int64(len(draws))]), count-1) }
}

// turns gives the number of the next question and when it is due; false when there is none.
type turns func() (int64, time.Time, bool)

func closed(count int64, end time.Time) turns {
	var given atomic.Int64
	return func() (int64, time.Time, bool) {
		now := time.Now()
		i := given.Add(1) - 1
		return i, now, now.Before(end) && (count == 0 || i < count)
	}
}

type turn struct {
	number int64
	due    time.Time
}

// open hands out turns at their due times, from a thread that sleeps to the microsecond; a
// goroutine's sleep may be a millisecond late.
func open(rate float64, count int64, start, end time.Time, callers int, late *histogram) turns {
	due := make(chan turn, 1<<20)
	go func() {
		runtime.LockOSThread()
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
		defer close(due)
		for i := int64(0); count == 0 || i < count; i++ {
			at := start.Add(time.Duration(float64(i) / rate * float64(time.Second)))
			if !at.Before(end) {
				return
			}
			sleepUntil(at)
			late.add(time.Since(at))
			due <- turn{i, at}
		}
	}()
	return func() (int64, time.Time, bool) {
		one, more := <-due
		return one.number, one.due, more
	}
}

func sleepUntil(at time.Time) {
	if wait := time.Until(at); wait > 0 {
		pause := unix.NsecToTimespec(int64(wait))
		_ = unix.Nanosleep(&pause, nil)
	}
}

func sum(tallies []*tally, watch *stopwatch, late *histogram) Result {
	total := &tally{errors: map[string]int64{}}
	for _, one := range tallies {
		total.latencies.merge(&one.latencies)
		total.answers += one.answers
		for problem, count := range one.errors {
			total.errors[problem] += count
		}
	}
	l := &total.latencies
	return Result{
		Callers:   len(tallies),
		Seconds:   watch.seconds,
		Answers:   total.answers,
		PerSecond: float64(total.answers) / watch.seconds,
		P50:       l.quantile(0.5), P99: l.quantile(0.99), P999: l.quantile(0.999), Max: l.quantile(1),
		Errors:  total.errors,
		LateP99: late.quantile(0.99),
		User:    watch.used[0], System: watch.used[1], Own: watch.own,
	}
}
