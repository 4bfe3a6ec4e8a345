// A service with as many live objects as it is told, which answers requests and writes its heap dump when asked.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
)

type customer struct {
	name   string
	orders []*order
	friend *customer
}

type order struct {
	number int
	text   string
	next   *order
}

const ordersEach = 8

// Objects of a customer: itself, its name, the array of its orders, and each order with its text.
const objectsEach = 3 + 2*ordersEach

type shop struct{ customers map[int]*customer }

var open *shop

func newShop(objects int) *shop {
	s := &shop{customers: map[int]*customer{}}
	var before *customer
	for len(s.customers) < objects/objectsEach {
		one := &customer{name: "customer " + strconv.Itoa(len(s.customers)), friend: before}
		for number := range ordersEach {
			made := &order{number: number, text: strconv.Itoa(1000+len(s.customers)) + " pieces, by ship"}
			if number > 0 {
				made.next = one.orders[number-1]
			}
			one.orders = append(one.orders, made)
		}
		one.orders = append(make([]*order, 0, ordersEach), one.orders...)
		s.customers[len(s.customers)] = one
		before = one
	}
	return s
}

func dump(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	runtime.GC()
	runtime.GC()
	debug.WriteHeapDump(file.Fd())
	return file.Close()
}

func main() {
	objects := flag.Int("objects", 100_000, "live objects")
	flag.Parse()
	open = newShop(*objects)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, len(open.customers)) })
	http.HandleFunc("/dump", func(w http.ResponseWriter, r *http.Request) {
		if err := dump(r.FormValue("to")); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	fmt.Println(listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}
