package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
)

var counted atomic.Int64

// serveRedis answers on a free port: INCR counts, HELLO is unknown as before Redis 6, and whatever else is OK.
func serveRedis() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go answer(conn)
		}
	}()
	return listener.Addr().String(), nil
}

func answer(conn net.Conn) {
	defer conn.Close()
	reader := bufio.NewReaderSize(conn, 512)
	for {
		words, err := command(reader)
		if err != nil {
			return
		}
		switch strings.ToUpper(words[0]) {
		case "INCR":
			fmt.Fprintf(conn, ":%d\r\n", counted.Add(1))
		case "HELLO":
			io.WriteString(conn, "-ERR unknown command\r\n")
		default:
			io.WriteString(conn, "+OK\r\n")
		}
	}
}

// command reads an array of bulk strings.
func command(reader *bufio.Reader) ([]string, error) {
	var count int
	if _, err := fmt.Fscanf(reader, "*%d\r\n", &count); err != nil || count < 1 {
		return nil, io.ErrUnexpectedEOF
	}
	words := make([]string, count)
	for at := range words {
		var size int
		if _, err := fmt.Fscanf(reader, "$%d\r\n", &size); err != nil {
			return nil, err
		}
		text := make([]byte, size+len("\r\n"))
		if _, err := io.ReadFull(reader, text); err != nil {
			return nil, err
		}
		words[at] = string(text[:size])
	}
	return words, nil
}
