// A nats-server that is built from here, as a program that embeds it.
package main

import (
	"flag"
	"log"
	"os"

	"github.com/nats-io/nats-server/v2/server"
)

func main() {
	flags := flag.NewFlagSet("nats-server", flag.ExitOnError)
	options, err := server.ConfigureOptions(flags, os.Args[1:], nil, nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	queue, err := server.NewServer(options)
	if err != nil {
		log.Fatal(err)
	}
	queue.ConfigureLogger()
	if err := server.Run(queue); err != nil {
		log.Fatal(err)
	}
	queue.WaitForShutdown()
}
