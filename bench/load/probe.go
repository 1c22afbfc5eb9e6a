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
)

// Step is one line of the probe's input: a request to the API, and the answer that is right from
// then on at a target. A watch of the collection, independent of the target, says when the API has
// sent the event; only from then on is the target asked, one question at a time. So nothing is asked
// while the change is on its way to the watchers, and all targets are asked alike.
type Step struct {
	Target string          `json:"target"`
	Method string          `json:"method"`
	Path   string          `json:"path"`
	Type   string          `json:"type"`
	Body   json.RawMessage `json:"body"`
	Watch  string          `json:"watch"`  // the path of the collection
	Object string          `json:"object"` // NAMESPACE/NAME
	Name   string          `json:"name"`
	Qtype  string          `json:"qtype"`
	Want   []string        `json:"want"` // the answer's addresses, in no order
}

// Found is a line of output, in milliseconds: from the request to the API's response; from the
// response to the event at the watch (less than 0: it came first); from the event to the right
// answer, nil if that never came; and how long the right answer took itself.
type Found struct {
	Request float64  `json:"request"`
	Event   float64  `json:"event"`
	After   *float64 `json:"after"`
	Ask     float64  `json:"ask"`
}

func probe(args []string) error {
	flags := flag.NewFlagSet("probe", flag.ExitOnError)
	var named list
	flags.Var(&named, "target", "NAME=ADDR, gRPC; again for another")
	api := flags.String("api", "", "the API, https://HOST:PORT")
	ca := flags.String("ca", "", "its CA")
	cert := flags.String("cert", "", "client certificate")
	key := flags.String("key", "", "its key")
	patience := flags.Duration("patience", 10*time.Second, "how long to wait for an event, and for an answer")
	_ = flags.Parse(args)

	client, err := apiClient(*ca, *cert, *key)
	if err != nil {
		return err
	}
	prober := &prober{client, *api, *patience, map[string]Caller{}, map[string]*watch{}}
	for _, one := range named {
		name, address, _ := strings.Cut(one, "=")
		callers, err := dial([]string{address}, false, 1, Plan{Callers: 1, Timeout: *patience})
		if err != nil {
			return err
		}
		prober.callers[name] = callers[0]
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var step Step
		if err := json.Unmarshal(lines.Bytes(), &step); err != nil {
			return err
		}
		found, err := prober.take(&step)
		if err != nil {
			return err
		}
		if err := print(found); err != nil {
			return err
		}
	}
	return lines.Err()
}

type prober struct {
	client   *http.Client
	api      string
	patience time.Duration
	callers  map[string]Caller
	watches  map[string]*watch
}

func (p *prober) take(step *Step) (*Found, error) {
	caller, known := p.callers[step.Target]
	if !known {
		return nil, fmt.Errorf("no target %q", step.Target)
	}
	message := new(dns.Msg).SetQuestion(step.Name, dns.StringToType[step.Qtype])
	wire, err := message.Pack()
	if err != nil {
		return nil, err
	}
	slices.Sort(step.Want)
	following, err := p.follow(step.Watch)
	if err != nil {
		return nil, err
	}
	seen := following.await(step.Object, func() (time.Time, time.Duration) {
		return step.ask(caller, wire, time.Now().Add(p.patience))
	})
	began := time.Now()
	version, err := p.request(step.Method, step.Path, step.Type, step.Body)
	if err != nil {
		return nil, err
	}
	accepted := time.Now()
	select {
	case event := <-seen:
		if event.version != version {
			return nil, fmt.Errorf("%s: an event of version %s, not %s", step.Object, event.version, version)
		}
		found := &Found{milliseconds(accepted.Sub(began)), milliseconds(event.at.Sub(accepted)), nil, milliseconds(event.took)}
		if !event.answered.IsZero() {
			after := milliseconds(event.answered.Sub(event.at))
			found.After = &after
		}
		return found, nil
	case <-time.After(2 * p.patience):
		return nil, fmt.Errorf("%s: no event", step.Object)
	}
}

// ask asks one question after the other until the answer is right; says when that was, and how long
// the right one took.
func (s *Step) ask(caller Caller, wire []byte, giveUp time.Time) (time.Time, time.Duration) {
	for began := time.Now(); began.Before(giveUp); began = time.Now() {
		if reply, err := caller.ask(wire, 1); err == nil && slices.Equal(addresses(reply), s.Want) {
			now := time.Now()
			return now, now.Sub(began)
		}
	}
	return time.Time{}, 0
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }

// watch is a plain watch of a collection. What is awaited is called from the goroutine that has
// read its event: no hand-over is measured.
type watch struct {
	mutex   sync.Mutex
	object  string
	then    func() (time.Time, time.Duration)
	seen    chan seen
	trouble error
}

type seen struct {
	version  string
	at       time.Time
	answered time.Time
	took     time.Duration
}

// metadata is what the probe reads of an object, or of a list.
type metadata struct {
	Namespace       string `json:"namespace"`
	Name            string `json:"name"`
	ResourceVersion string `json:"resourceVersion"`
}

type object struct {
	Metadata metadata `json:"metadata"`
}

// follow returns the watch of a collection, begun at its present version.
func (p *prober) follow(path string) (*watch, error) {
	if w, known := p.watches[path]; known {
		return w, w.problem()
	}
	version, err := p.request("GET", path+"?limit=1", "", nil)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequest("GET", p.api+path+"?watch=true&resourceVersion="+version, nil)
	if err != nil {
		return nil, err
	}
	endless := *p.client
	endless.Timeout = 0
	response, err := endless.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("watch %s: %s", path, response.Status)
	}
	w := &watch{}
	p.watches[path] = w
	go w.run(response.Body)
	return w, nil
}

func (w *watch) run(body io.ReadCloser) {
	defer body.Close()
	runtime.LockOSThread()
	lines := bufio.NewReaderSize(body, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		at := time.Now()
		var event struct {
			Object object `json:"object"`
		}
		if err == nil {
			err = json.Unmarshal(line, &event)
		}
		if err != nil {
			w.mutex.Lock()
			w.trouble = fmt.Errorf("watch: %w", err)
			w.mutex.Unlock()
			return
		}
		meta := event.Object.Metadata
		if then, to := w.take(meta.Namespace + "/" + meta.Name); then != nil {
			answered, took := then()
			to <- seen{meta.ResourceVersion, at, answered, took}
		}
	}
}

// await says what to call at the next event of an object; the outcome comes through the channel.
func (w *watch) await(object string, then func() (time.Time, time.Duration)) <-chan seen {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.object, w.then, w.seen = object, then, make(chan seen, 1)
	return w.seen
}

func (w *watch) take(object string) (func() (time.Time, time.Duration), chan<- seen) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.then == nil || w.object != object {
		return nil, nil
	}
	then := w.then
	w.then = nil
	return then, w.seen
}

func (w *watch) problem() error {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.trouble
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

// request returns the version of the object, or of the list, that the API answers with.
func (p *prober) request(method, path, kind string, body []byte) (string, error) {
	request, err := http.NewRequest(method, p.api+path, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	response, err := p.client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	if response.StatusCode >= 300 {
		return "", fmt.Errorf("%s %s: %s: %s", method, path, response.Status, text)
	}
	var found object
	err = json.Unmarshal(text, &found)
	return found.Metadata.ResourceVersion, err
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
