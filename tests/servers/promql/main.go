// Parses PromQL as Prometheus does. A line of JSON in, one out: an expression, and what is wrong with
// it ("" for nothing), its type and the metrics and labels that it names.
package main

import (
	"bufio"
	"encoding/json"
	"os"

	"github.com/prometheus/prometheus/promql/parser"
)

type selector struct {
	Name   string   `json:"name"`
	Labels []string `json:"labels"`
}

type result struct {
	Error     string     `json:"error"`
	Type      string     `json:"type"`
	Selectors []selector `json:"selectors"`
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var text string
		if err := json.Unmarshal(in.Bytes(), &text); err != nil {
			panic(err)
		}
		out.Encode(parse(text))
	}
}

func parse(text string) result {
	expr, err := parser.ParseExpr(text)
	if err != nil {
		return result{Error: err.Error()}
	}
	found := result{Type: string(expr.Type())}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if vector, ok := node.(*parser.VectorSelector); ok {
			one := selector{Name: vector.Name}
			for _, matcher := range vector.LabelMatchers {
				if matcher.Name != "__name__" {
					one.Labels = append(one.Labels, matcher.Name)
				}
			}
			found.Selectors = append(found.Selectors, one)
		}
		if aggregate, ok := node.(*parser.AggregateExpr); ok && !aggregate.Without {
			found.Selectors = append(found.Selectors, selector{Labels: aggregate.Grouping})
		}
		return nil
	})
	return found
}
