package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/tsdb"
)

// A series that a query gives, and its points: seconds since the start, and the value.
type series struct {
	Query  int               `json:"query"`
	Labels map[string]string `json:"labels"`
	Points [][2]float64      `json:"points"`
}

// query evaluates every query of the input over all scrapes, from the first to `Until`.
func query(in input, db *tsdb.DB, engine *promql.Engine) ([]series, error) {
	targets := map[string]*target{}
	for _, one := range in.Scrapes {
		if err := targetOf(targets, one).take(db, one, in.Start); err != nil {
			return nil, err
		}
	}
	step := time.Duration(in.Every * float64(time.Second))
	every := []series{}
	for number, text := range in.Queries {
		asked, err := engine.NewRangeQuery(
			context.Background(), db, nil, text, moment(in.Start, 0), moment(in.Start, in.Until), step)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", text, err)
		}
		matrix, err := asked.Exec(context.Background()).Matrix()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", text, err)
		}
		for _, one := range matrix {
			found := series{Query: number, Labels: one.Metric.Map(), Points: [][2]float64{}}
			for _, point := range one.Floats {
				if !math.IsNaN(point.F) && !math.IsInf(point.F, 0) {
					found.Points = append(found.Points, [2]float64{float64(point.T-in.Start*1000) / 1000, point.F})
				}
			}
			every = append(every, found)
		}
		asked.Close()
	}
	return every, nil
}
