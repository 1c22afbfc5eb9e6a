package main

import (
	"errors"
	"flag"
	"time"
)

// wait asks the first question of the file until the answer is the expected one, and prints the
// wall clock's time of it, in seconds.
func wait(args []string) error {
	flags := flag.NewFlagSet("wait", flag.ExitOnError)
	var targets list
	flags.Var(&targets, "target", "unix:///PATH or HOST:PORT")
	udp := flags.Bool("udp", false, "DNS over UDP in place of gRPC")
	names := flags.String("names", "", "file of questions: NAME TYPE [RCODE [ANSWERS]]")
	every := flags.Duration("every", 2*time.Millisecond, "between two tries")
	patience := flags.Duration("patience", time.Minute, "how long to try")
	_ = flags.Parse(args)

	questions, err := readQuestions(*names, false, false)
	if err != nil {
		return err
	}
	callers, err := dial(targets, *udp, 1, Plan{Callers: 1, Timeout: time.Second})
	if err != nil {
		return err
	}
	for end := time.Now().Add(*patience); time.Now().Before(end); time.Sleep(*every) {
		reply, err := callers[0].ask(questions[0].wire, 1)
		if err == nil && questions[0].check(1, reply) == "" {
			return print(map[string]float64{"at": float64(time.Now().UnixNano()) / 1e9})
		}
	}
	return errors.New("no right answer")
}
