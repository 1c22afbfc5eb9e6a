package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
)

// Caller asks one question at a time. An error's text says what kind it was.
type Caller interface {
	ask(wire []byte, id uint16) ([]byte, error)
}

// dial makes plan.Callers callers, spread over the targets and their connections.
func dial(targets []string, udp bool, conns int, plan Plan) ([]Caller, error) {
	if len(targets) == 0 {
		return nil, errors.New("no -target")
	}
	callers := make([]Caller, plan.Callers)
	if udp {
		for i := range callers {
			caller, err := dialUDP(targets[i%len(targets)], plan.Timeout)
			if err != nil {
				return nil, err
			}
			callers[i] = caller
		}
		return callers, nil
	}
	links := make([]*grpc.ClientConn, conns*len(targets))
	for i := range links {
		link, err := dialGRPC(targets[i%len(targets)])
		if err != nil {
			return nil, err
		}
		links[i] = link
	}
	for i := range callers {
		callers[i] = &grpcCaller{links[i%len(links)], plan.Timeout}
	}
	return callers, nil
}

const method = "/coredns.dns.DnsService/Query"

func dialGRPC(target string) (*grpc.ClientConn, error) {
	if !strings.HasPrefix(target, "unix:") {
		target = "passthrough:///" + target
	}
	// A server that is not there yet is tried again at once: how fast it starts is measured.
	again := backoff.Config{BaseDelay: 2 * time.Millisecond, Multiplier: 1, MaxDelay: 2 * time.Millisecond}
	link, err := grpc.NewClient(target,
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: again, MinConnectTimeout: time.Second}),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{}), grpc.WaitForReady(true)))
	if err != nil {
		return nil, err
	}
	link.Connect()
	return link, nil
}

type grpcCaller struct {
	link    *grpc.ClientConn
	timeout time.Duration
}

func (c *grpcCaller) ask(wire []byte, id uint16) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	request, reply := packet(wire, id), []byte(nil)
	if err := c.link.Invoke(ctx, method, &request, &reply); err != nil {
		return nil, errors.New("grpc " + status.Code(err).String())
	}
	message, ok := unpacket(reply)
	if !ok {
		return nil, errors.New("no DnsPacket")
	}
	return message, nil
}

// packet is DnsPacket { bytes msg = 1; } around a message with its ID.
func packet(wire []byte, id uint16) []byte {
	raw := binary.AppendUvarint(append(make([]byte, 0, len(wire)+4), 0x0a), uint64(len(wire)))
	at := len(raw)
	raw = append(raw, wire...)
	binary.BigEndian.PutUint16(raw[at:], id)
	return raw
}

func unpacket(raw []byte) ([]byte, bool) {
	if len(raw) < 2 || raw[0] != 0x0a {
		return nil, false
	}
	size, n := binary.Uvarint(raw[1:])
	if n <= 0 || int(size) != len(raw)-1-n {
		return nil, false
	}
	return raw[1+n:], true
}

// rawCodec passes bytes through: protobuf's classes would cost the machine under test.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

type udpCaller struct {
	conn    *dns.Conn
	timeout time.Duration
	buffer  []byte
	request []byte
}

func dialUDP(target string, timeout time.Duration) (*udpCaller, error) {
	conn, err := net.Dial("udp", target)
	if err != nil {
		return nil, err
	}
	return &udpCaller{&dns.Conn{Conn: conn}, timeout, make([]byte, 65535), nil}, nil
}

func (c *udpCaller) ask(wire []byte, id uint16) ([]byte, error) {
	c.request = append(c.request[:0], wire...)
	binary.BigEndian.PutUint16(c.request, id)
	if _, err := c.conn.Write(c.request); err != nil {
		return nil, fmt.Errorf("udp write")
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(c.timeout))
	for {
		n, err := c.conn.Read(c.buffer)
		if err != nil {
			return nil, fmt.Errorf("udp timeout")
		}
		// What comes late answers a question that was given up.
		if n >= 2 && binary.BigEndian.Uint16(c.buffer) == id {
			return c.buffer[:n], nil
		}
	}
}
