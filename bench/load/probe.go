package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"
)

// Step is one line of the probe's input: a request to the API, and the answer that is right from
// then on. The probe sends it, asks every target until it gives that answer, and prints how long
// after the API's response that was.
type Step struct {
	Method string          `json:"method"`
	Path   string          `json:"path"`
	Type   string          `json:"type"`
	Body   json.RawMessage `json:"body"`
	Name   string          `json:"name"`
	Qtype  string          `json:"qtype"`
	Want   []string        `json:"want"` // the answer's addresses, in no order
}

// Found is a line of output: milliseconds by target, nil where the answer never came.
type Found struct {
	Request float64             `json:"request"`
	After   map[string]*float64 `json:"after"`
}

type target struct {
	name   string
	caller Caller
}

func probe(args []string) error {
	flags := flag.NewFlagSet("probe", flag.ExitOnError)
	var named list
	flags.Var(&named, "target", "NAME=ADDR, gRPC; again for another: all are asked at once")
	api := flags.String("api", "", "the API, https://HOST:PORT")
	ca := flags.String("ca", "", "its CA")
	cert := flags.String("cert", "", "client certificate")
	key := flags.String("key", "", "its key")
	every := flags.Duration("every", 250*time.Microsecond, "between two questions to a target")
	patience := flags.Duration("patience", 10*time.Second, "how long to wait for an answer")
	_ = flags.Parse(args)

	client, err := apiClient(*ca, *cert, *key)
	if err != nil {
		return err
	}
	var targets []target
	for _, one := range named {
		name, address, _ := strings.Cut(one, "=")
		callers, err := dial([]string{address}, false, 1, Plan{Callers: 1, Timeout: *patience})
		if err != nil {
			return err
		}
		targets = append(targets, target{name, callers[0]})
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var step Step
		if err := json.Unmarshal(lines.Bytes(), &step); err != nil {
			return err
		}
		found, err := step.take(client, *api, targets, *every, *patience)
		if err != nil {
			return err
		}
		if err := print(found); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (s *Step) take(client *http.Client, api string, targets []target, every, patience time.Duration) (*Found, error) {
	message := new(dns.Msg).SetQuestion(s.Name, dns.StringToType[s.Qtype])
	wire, err := message.Pack()
	if err != nil {
		return nil, err
	}
	slices.Sort(s.Want)
	giveUp := time.Now().Add(patience)
	seen := make([]time.Time, len(targets))
	var asking sync.WaitGroup
	for i, target := range targets {
		asking.Add(1)
		go func() {
			defer asking.Done()
			seen[i] = s.await(target.caller, wire, every, giveUp)
		}()
	}
	began := time.Now()
	err = s.request(client, api)
	accepted := time.Now()
	asking.Wait()
	found := &Found{accepted.Sub(began).Seconds() * 1000, map[string]*float64{}}
	for i, target := range targets {
		found.After[target.name] = nil
		if !seen[i].IsZero() {
			after := seen[i].Sub(accepted).Seconds() * 1000
			found.After[target.name] = &after
		}
	}
	return found, err
}

// await asks until the answer is right, and says when that was.
func (s *Step) await(caller Caller, wire []byte, every time.Duration, giveUp time.Time) time.Time {
	runtime.LockOSThread()
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	for due := time.Now(); due.Before(giveUp); {
		if reply, err := caller.ask(wire, 1); err == nil && slices.Equal(addresses(reply), s.Want) {
			return time.Now()
		}
		due = due.Add(every)
		if now := time.Now(); due.Before(now) {
			due = now
		}
		sleepUntil(due)
	}
	return time.Time{}
}

func addresses(reply []byte) (found []string) {
	var message dns.Msg
	if message.Unpack(reply) != nil {
		return nil
	}
	for _, record := range message.Answer {
		switch record := record.(type) {
		case *dns.A:
			found = append(found, record.A.String())
		case *dns.AAAA:
			found = append(found, record.AAAA.String())
		}
	}
	slices.Sort(found)
	return found
}

func (s *Step) request(client *http.Client, api string) error {
	request, err := http.NewRequest(s.Method, api+s.Path, bytes.NewReader(s.Body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", s.Type)
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", s.Method, s.Path, response.Status, text)
	}
	return nil
}

func apiClient(ca, cert, key string) (*http.Client, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New(ca + ": no certificate")
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config}, Timeout: time.Minute}, nil
}
