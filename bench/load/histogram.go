package main

import (
	"math/bits"
	"time"
)

const (
	fine    = 7 // bits of a value that are kept: quantiles are right within 1 %
	buckets = (64 - fine) << fine
)

// histogram counts durations in buckets whose width grows with the value.
type histogram struct {
	counts [buckets]int64
	total  int64
}

func (h *histogram) add(d time.Duration) {
	h.counts[bucket(uint64(max(d, 0)))]++
	h.total++
}

func (h *histogram) merge(other *histogram) {
	for i, count := range other.counts {
		h.counts[i] += count
	}
	h.total += other.total
}

// quantile is in microseconds; 0 when nothing was counted.
func (h *histogram) quantile(q float64) float64 {
	rank := int64(q * float64(h.total))
	seen := int64(0)
	for i, count := range h.counts {
		seen += count
		if count > 0 && (seen > rank || seen == h.total) {
			return float64(middle(i)) / 1000
		}
	}
	return 0
}

func bucket(value uint64) int {
	shift := max(bits.Len64(value)-fine-1, 0)
	return shift<<fine + int(value>>shift)
}

func middle(i int) uint64 {
	if i < 2<<fine {
		return uint64(i)
	}
	shift := i>>fine - 1
	return uint64(i-shift<<fine)<<shift + 1<<shift/2
}
