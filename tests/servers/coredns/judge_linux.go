package main

// `coredns judge` says of many Corefiles whether CoreDNS starts with them, in one process: each line
// on standard input is a question, each line on standard output the answer to it.
//
// It is CoreDNS that starts: caddy.Start as coremain calls it, with listeners, then a stop. All of it
// is in a network namespace of its own with nothing but a loopback, so that any port can be taken and
// nothing leaves the machine. Where the kernel grants no such namespace, the program says so and ends.

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"syscall"
	"unsafe"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
)

const (
	judgeWord = "judge"
	insideVar = "COREDNS_JUDGE_INSIDE"
	// noNamespace is the exit code when there is no namespace to be had.
	noNamespace = 3
)

type question struct {
	Corefile string            `json:"corefile"`
	Path     string            `json:"path"`
	Env      map[string]string `json:"env"`
}

type answer struct {
	Starts bool   `json:"starts"`
	Why    string `json:"why"`
}

// isolated runs this program, or another one, with the same arguments in a namespace of its own.
func isolated(program string, arguments []string) int {
	command := exec.Command(program, arguments...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	command.Env = append(os.Environ(), insideVar+"=1")
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	if err := command.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "no network namespace:", err)
		return noNamespace
	}
	_ = command.Wait()
	return command.ProcessState.ExitCode()
}

// loopbackUp is `ip link set lo up`.
func loopbackUp() error {
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(socket)
	var request struct {
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}
	copy(request.name[:], "lo")
	request.flags = syscall.IFF_UP | syscall.IFF_RUNNING
	_, _, number := syscall.Syscall(syscall.SYS_IOCTL, uintptr(socket), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request)))
	if number != 0 {
		return number
	}
	return nil
}

func judge(arguments []string) int {
	if os.Getenv(insideVar) == "" {
		return isolated("/proc/self/exe", os.Args[1:])
	}
	if err := loopbackUp(); err != nil {
		fmt.Fprintln(os.Stderr, "no loopback:", err)
		return noNamespace
	}
	if len(arguments) > 0 { // the real program, as it is: coredns judge -conf FILE
		os.Unsetenv(insideVar)
		err := syscall.Exec("/proc/self/exe", append([]string{"coredns"}, arguments...), os.Environ())
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	caddy.Quiet, dnsserver.Quiet = true, true
	out := json.NewEncoder(os.Stdout)
	os.Stdout, _ = os.Open(os.DevNull)
	log.SetOutput(io.Discard)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		if err := out.Encode(start(asked)); err != nil {
			return 1
		}
	}
	return 0
}

func start(asked question) (given answer) {
	for name, value := range asked.Env {
		os.Setenv(name, value)
		defer os.Unsetenv(name)
	}
	defer func() {
		if reason := recover(); reason != nil {
			given = answer{Why: fmt.Sprint("panic: ", reason)}
		}
	}()
	instance, err := caddy.Start(caddy.CaddyfileInput{
		Contents:       []byte(asked.Corefile),
		Filepath:       asked.Path,
		ServerTypeName: "dns",
	})
	if err != nil {
		return answer{Why: err.Error()}
	}
	_ = instance.Stop()
	return answer{Starts: true}
}
