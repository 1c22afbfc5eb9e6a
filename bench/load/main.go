// Load asks a DNS server the questions of a file, over gRPC or UDP, and says how fast it answered.
//
//	load run   -target unix:///run/0.sock -names FILE -callers 64 -for 5s
//	load run   -target 127.0.0.1:53 -udp  -names FILE -rate 2000 -for 10s
//	load wait  -target unix:///run/0.sock -names FILE
//	load probe -target ours=unix:///run/0.sock -target coredns=127.0.0.1:5300 -api ...
//
// `run` is a closed loop (each caller asks again when it is answered), or with -rate an open one:
// questions are due at fixed times, and a latency counts from when the question was due, so that
// a server that stalls is charged for all who waited. `wait` asks the first question until it is
// answered as expected. `probe` changes a cluster, and times the event at a watch and the answer after it. All
// print JSON.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("usage: load run|wait|probe FLAGS"))
	}
	var err error
	switch os.Args[1] {
	case "run":
		err = run(os.Args[2:])
	case "wait":
		err = wait(os.Args[2:])
	case "probe":
		err = probe(os.Args[2:])
	default:
		err = fmt.Errorf("no such command: %s", os.Args[1])
	}
	if err != nil {
		fail(err)
	}
}

// Plan is what a run is to do; its bounds are `For` and `Count`, whichever ends first.
type Plan struct {
	Callers int
	For     time.Duration
	Warmup  time.Duration
	Count   int64
	Rate    float64
	Zipf    float64
	Timeout time.Duration
	Pids    []int
}

func run(args []string) error {
	flags := flag.NewFlagSet("run", flag.ExitOnError)
	var targets list
	var plan Plan
	flags.Var(&targets, "target", "unix:///PATH or HOST:PORT; again for another, used in turn")
	udp := flags.Bool("udp", false, "DNS over UDP in place of gRPC")
	names := flags.String("names", "", "file of questions: NAME TYPE [RCODE [ANSWERS]]")
	edns := flags.Bool("edns", false, "with an OPT record")
	echo := flags.Bool("echo", false, "the right answer is the question itself")
	conns := flags.Int("conns", 1, "connections to each target (gRPC)")
	pids := flags.String("pids", "", "processes whose CPU time is taken, separated by commas")
	flags.IntVar(&plan.Callers, "callers", 64, "questions under way at the same time")
	flags.DurationVar(&plan.For, "for", 5*time.Second, "how long, the warm-up not included")
	flags.DurationVar(&plan.Warmup, "warmup", 0, "how long before anything counts")
	flags.Int64Var(&plan.Count, "count", 0, "at most so many questions; 0 is no bound")
	flags.Float64Var(&plan.Rate, "rate", 0, "questions a second, due at fixed times (open loop)")
	flags.Float64Var(&plan.Zipf, "zipf", 0, "exponent of a Zipf law by which questions are drawn; 0 is in turn")
	flags.DurationVar(&plan.Timeout, "timeout", 5*time.Second, "an answer later than this is none")
	_ = flags.Parse(args)

	questions, err := readQuestions(*names, *edns, *echo)
	if err != nil {
		return err
	}
	if plan.Pids, err = numbers(*pids); err != nil {
		return err
	}
	callers, err := dial(targets, *udp, *conns, plan)
	if err != nil {
		return err
	}
	return print(drive(callers, questions, plan))
}

func numbers(text string) ([]int, error) {
	var found []int
	for _, one := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' }) {
		number, err := strconv.Atoi(one)
		if err != nil {
			return nil, err
		}
		found = append(found, number)
	}
	return found, nil
}

func print(value any) error {
	return json.NewEncoder(os.Stdout).Encode(value)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "load:", err)
	os.Exit(1)
}
