// Runs a rule file in Prometheus's own engine over recorded scrapes. One JSON object in: the file, how
// often it is evaluated, and the scrapes in order of time. One out: for each alert that became active,
// its labels and annotations, and when it was pending, firing and resolved, in seconds. With queries in
// place of a file: the series that each of them gives.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/url"
	"os"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/tsdb"
)

type scrape struct {
	At       float64 `json:"at"`
	Instance string  `json:"instance"`
	// Text is what /metrics gave; nil when the target could not be scraped.
	Text *string `json:"text"`
}

type input struct {
	File    string   `json:"file"`
	Queries []string `json:"queries"`
	Start   int64    `json:"start"`
	Every   float64  `json:"every"`
	Until   float64  `json:"until"`
	Scrapes []scrape `json:"scrapes"`
}

type alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	Pending     *float64          `json:"pending"`
	Firing      *float64          `json:"firing"`
	Resolved    *float64          `json:"resolved"`
}

func main() {
	var in input
	check(json.NewDecoder(os.Stdin).Decode(&in))
	folder, err := os.MkdirTemp("", "promrules")
	check(err)
	found, err := open(in, folder)
	os.RemoveAll(folder)
	check(err)
	check(json.NewEncoder(os.Stdout).Encode(found))
}

func check(err error) {
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}

func open(in input, folder string) (any, error) {
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	db, err := tsdb.Open(folder, quiet, nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	engine := promql.NewEngine(promql.EngineOpts{
		Logger: quiet, MaxSamples: 1 << 24, Timeout: time.Minute, LookbackDelta: 5 * time.Minute,
	})
	if in.File == "" {
		return query(in, db, engine)
	}
	return run(in, db, engine, quiet)
}

func run(in input, db *tsdb.DB, engine *promql.Engine, quiet *slog.Logger) ([]*alert, error) {
	manager := rules.NewManager(&rules.ManagerOptions{
		Appendable: db, Queryable: db, QueryFunc: rules.EngineQueryFunc(engine, db),
		Context: context.Background(), Logger: quiet, ExternalURL: &url.URL{},
		NotifyFunc: func(context.Context, string, ...*rules.Alert) {},
	})
	groups, errs := manager.LoadGroups(time.Minute, labels.EmptyLabels(), "", nil, false, in.File)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	var every []*alert
	active := map[string]*alert{}
	targets := map[string]*target{}
	next := 0
	for at := 0.0; at <= in.Until; at += in.Every {
		for ; next < len(in.Scrapes) && in.Scrapes[next].At <= at; next++ {
			one := in.Scrapes[next]
			if err := targetOf(targets, one).take(db, one, in.Start); err != nil {
				return nil, err
			}
		}
		now := moment(in.Start, at)
		seen := map[string]bool{}
		for _, group := range groups {
			group.Eval(context.Background(), now)
			for _, rule := range group.AlertingRules() {
				if err := rule.LastError(); err != nil {
					return nil, err
				}
				for _, one := range rule.ActiveAlerts() {
					key := one.Labels.String()
					if one.State == rules.StateInactive {
						continue
					}
					seen[key] = true
					if active[key] == nil {
						active[key] = &alert{Labels: one.Labels.Map(), Pending: when(at)}
						every = append(every, active[key])
					}
					active[key].Annotations = one.Annotations.Map()
					if one.State == rules.StateFiring && active[key].Firing == nil {
						active[key].Firing = when(at)
					}
				}
			}
		}
		for key, one := range active {
			if !seen[key] {
				one.Resolved = when(at)
				delete(active, key)
			}
		}
	}
	return every, nil
}

func when(at float64) *float64 { return &at }

func moment(start int64, at float64) time.Time {
	return time.UnixMilli(start*1000 + int64(math.Round(at*1000)))
}

// A target as Prometheus scrapes it: a series that is gone from a scrape is marked as stale.
type target struct {
	instance string
	seen     map[string]labels.Labels
}

func targetOf(targets map[string]*target, one scrape) *target {
	if targets[one.Instance] == nil {
		targets[one.Instance] = &target{instance: one.Instance, seen: map[string]labels.Labels{}}
	}
	return targets[one.Instance]
}

func (t *target) take(db *tsdb.DB, one scrape, start int64) error {
	app := db.Appender(context.Background())
	at := moment(start, one.At).UnixMilli()
	up := 0.0
	now := map[string]labels.Labels{}
	if one.Text != nil {
		up = 1
		if err := t.parse(*one.Text, func(series labels.Labels, number float64) error {
			now[series.String()] = series
			_, err := app.Append(0, series, at, number)
			return err
		}); err != nil {
			return err
		}
	}
	for key, series := range t.seen {
		if _, there := now[key]; !there {
			if _, err := app.Append(0, series, at, math.Float64frombits(value.StaleNaN)); err != nil {
				return err
			}
		}
	}
	t.seen = now
	if _, err := app.Append(0, labels.FromStrings("__name__", "up", "instance", t.instance), at, up); err != nil {
		return err
	}
	return app.Commit()
}

func (t *target) parse(text string, add func(labels.Labels, float64) error) error {
	parser, err := textparse.New([]byte(text), "text/plain", "", false, false, false, labels.NewSymbolTable())
	if err != nil {
		return err
	}
	for {
		entry, err := parser.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if entry != textparse.EntrySeries {
			continue
		}
		var series labels.Labels
		parser.Labels(&series)
		_, _, number := parser.Series()
		builder := labels.NewBuilder(series)
		builder.Set("instance", t.instance)
		if err := add(builder.Labels(), number); err != nil {
			return err
		}
	}
}
