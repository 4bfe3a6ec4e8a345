// Command chaos is a service that goes wrong in the ways that a test of services meets, one at a time: see -mode.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sort"
	"strings"
	"syscall"
	"time"

	"example.com/programs/internal/web"
)

// flags are read before a mode begins.
type flags struct {
	listen, admin, unix string
	workers             int
	delay               time.Duration
}

var modes = map[string]func(flags) error{
	"serve":       serve,
	"daemon":      daemon,
	"late-daemon": lateDaemon,
	"supervisor":  supervisor,
	"prefork":     prefork,
	"prefork-one": preforkOne,
	"unix":        unix,
	"tls":         overTLS,
	"http2":       http2,
	"idle":        idle,
}

func main() {
	var f flags
	names := make([]string, 0, len(modes))
	for name := range modes {
		names = append(names, name)
	}
	sort.Strings(names)
	mode := flag.String("mode", "serve", strings.Join(names, ", "))
	flag.StringVar(&f.listen, "listen", "127.0.0.1:0", "host:port")
	flag.StringVar(&f.admin, "admin", "", "host:port of /debug/pprof/")
	flag.StringVar(&f.unix, "unix", "", "path of the socket of -mode unix")
	flag.IntVar(&f.workers, "workers", 3, "processes of -mode prefork")
	flag.DurationVar(&f.delay, "delay", 0, "before -mode serve listens")
	flag.Parse()
	run, known := modes[*mode]
	if !known {
		log.Fatalf("no mode %q", *mode)
	}
	if err := run(f); err != nil {
		log.Fatal(err)
	}
}

func serve(f flags) error {
	time.Sleep(f.delay)
	web.Serve(web.Listen(f.listen), f.admin, routes())
	return nil
}

// daemon leaves another process behind, which serves, and ends before that is ready.
func daemon(f flags) error {
	defer time.Sleep(200 * time.Millisecond) // or whoever started it might never see it alive
	f.delay = 600 * time.Millisecond
	return myself(f, "serve", nil).Start()
}

// lateDaemon ends some time after the process that it leaves behind is ready.
func lateDaemon(f flags) error {
	defer time.Sleep(500 * time.Millisecond)
	return myself(f, "serve", nil).Start()
}

// supervisor starts one process that serves, and waits for it, as `go run` does.
func supervisor(f flags) error {
	command := myself(f, "serve", nil)
	command.SysProcAttr = nil
	return command.Run()
}

// prefork starts processes that all serve the one listener.
func prefork(f flags) error {
	listener, err := net.Listen("tcp", f.listen)
	if err != nil {
		return err
	}
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	listener.Close()
	for i := 0; i < f.workers; i++ {
		if err := myself(f, "prefork-one", socket).Start(); err != nil {
			return err
		}
	}
	socket.Close()
	return idle(f)
}

func preforkOne(flags) error {
	listener, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		return err
	}
	web.Serve(listener, "", routes())
	return nil
}

func unix(f flags) error {
	listener, err := net.Listen("unix", f.unix)
	if err != nil {
		return err
	}
	fmt.Println("serving on", f.unix)
	web.Serve(listener, "", routes())
	return nil
}

// overTLS serves with a certificate that nobody trusts.
func overTLS(f flags) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	web.Serve(tls.NewListener(web.Listen(f.listen), config), f.admin, routes())
	return nil
}

// http2 greets with a SETTINGS frame and hangs up, as a gRPC server does when HTTP/1.1 is spoken to it.
func http2(f flags) error {
	listener := web.Listen(f.listen)
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer connection.Close()
			// Who only looks whether somebody accepts sends nothing.
			if _, err := connection.Read(make([]byte, 1<<16)); err == nil {
				connection.Write([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0})
			}
		}()
	}
}

// idle ends by itself, so that a test that loses it leaves nothing for ever.
func idle(flags) error {
	time.Sleep(5 * time.Minute)
	return nil
}

// myself is this program in another mode, in a session of its own.
func myself(f flags, mode string, socket *os.File) *exec.Cmd {
	command := exec.Command("/proc/self/exe", "-mode", mode, "-listen", f.listen, "-admin", f.admin, "-delay", f.delay.String())
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if socket != nil {
		command.ExtraFiles = []*os.File{socket}
	}
	return command
}

func routes() *http.ServeMux {
	mux := http.NewServeMux()
	web.Handle(mux, "/pid", func(web.Query) (any, error) { return os.Getpid(), nil })
	web.Handle(mux, "/keep", keep)
	web.Handle(mux, "/exec", replace)
	web.Handle(mux, "/exit", exit)
	web.Handle(mux, "/panic", func(web.Query) (any, error) {
		go func() { panic("boom") }()
		time.Sleep(time.Minute)
		return nil, nil
	})
	return mux
}

var kept [][]byte

// keep answers when ?mb= more are resident on the heap.
func keep(q web.Query) (any, error) {
	mb, err := q.Int("mb", 1)
	if err != nil {
		return nil, err
	}
	kept = append(kept, web.Touch(make([]byte, mb<<20)))
	return mb, nil
}

// replace begins this program anew in the same process.
func replace(web.Query) (any, error) {
	time.AfterFunc(50*time.Millisecond, func() {
		log.Fatal(syscall.Exec("/proc/self/exe", os.Args, os.Environ()))
	})
	return "soon", nil
}

func exit(q web.Query) (any, error) {
	code, err := q.Int("code", 0)
	if err == nil {
		fmt.Fprintln(os.Stderr, "exiting as asked")
		os.Exit(code)
	}
	return nil, err
}
