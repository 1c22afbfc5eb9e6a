package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// Question is one line of the file, packed but for its ID.
type Question struct {
	wire    []byte
	rcode   int
	answers int
	echo    bool
}

// readQuestions reads lines NAME TYPE [RCODE [ANSWERS]]: as dnsperf's, with what is expected.
func readQuestions(path string, edns, echo bool) ([]Question, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var found []Question
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 {
			continue
		}
		question, err := parseQuestion(fields, edns)
		if err != nil {
			return nil, fmt.Errorf("%s: %q: %w", path, lines.Text(), err)
		}
		question.echo = echo
		found = append(found, question)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: no questions", path)
	}
	return found, lines.Err()
}

func parseQuestion(fields []string, edns bool) (Question, error) {
	question := Question{rcode: dns.RcodeSuccess}
	qtype := dns.TypeA
	var ok bool
	if len(fields) > 1 {
		if qtype, ok = dns.StringToType[fields[1]]; !ok {
			return question, fmt.Errorf("no such type")
		}
	}
	if len(fields) > 2 {
		if question.rcode, ok = dns.StringToRcode[fields[2]]; !ok {
			return question, fmt.Errorf("no such rcode")
		}
	}
	if len(fields) > 3 {
		var err error
		if question.answers, err = strconv.Atoi(fields[3]); err != nil {
			return question, err
		}
	}
	message := new(dns.Msg).SetQuestion(dns.Fqdn(fields[0]), qtype)
	if edns {
		message.SetEdns0(1232, false)
	}
	var err error
	question.wire, err = message.Pack()
	return question, err
}

// check says what is wrong with a reply; "" when nothing is.
func (q *Question) check(id uint16, reply []byte) string {
	switch {
	case len(reply) < 12:
		return "short"
	case binary.BigEndian.Uint16(reply) != id:
		return "another ID"
	case q.echo:
		if !bytes.Equal(reply[2:], q.wire[2:]) {
			return "no echo"
		}
		return ""
	case reply[2]&0x80 == 0:
		return "no reply"
	}
	if rcode := int(reply[3] & 0xF); rcode != q.rcode {
		return "rcode " + dns.RcodeToString[rcode]
	}
	// A reply that was cut short (TC) has as many answers as went in.
	if int(binary.BigEndian.Uint16(reply[6:])) < q.answers && reply[2]&2 == 0 {
		return "too few answers"
	}
	return ""
}
