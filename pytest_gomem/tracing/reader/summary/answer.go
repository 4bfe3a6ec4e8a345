package summary

import "strconv"

// Seconds are kept as whole ns, and written as seconds.
type Seconds int64

// MarshalJSON writes seconds.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(s)/1e9, 'g', -1, 64), nil
}

// Answer is what a trace says. Times are seconds since its first event.
type Answer struct {
	Format            string       `json:"format"`
	Events            int          `json:"events"`
	Seconds           Seconds      `json:"seconds"`
	CycleCount        int          `json:"cycle_count"`
	Cycles            []*Cycle     `json:"cycles"`
	Causes            []*CauseSum  `json:"causes"`
	Stops             []*Stops     `json:"stops"`
	AssistCount       int          `json:"assist_count"`
	AssistSeconds     Seconds      `json:"assist_seconds"`
	Assists           []Assist     `json:"assists"`
	Lines             []*Line      `json:"lines"`
	LinesLeftOut      int          `json:"lines_left_out"`
	Goroutines        []*Goroutine `json:"goroutines"`
	GoroutinesLeftOut int          `json:"goroutines_left_out"`
	Latency           *Latency     `json:"latency"`
	HeapGoal          *uint64      `json:"heap_goal"`
	HeapInUse         *uint64      `json:"heap_in_use"`
	Problems          []string     `json:"problems"`
}

// Cycle is the concurrent mark phase of a GC cycle.
type Cycle struct {
	Index       int      `json:"index"`
	Start       Seconds  `json:"start"`
	Duration    *Seconds `json:"duration"`
	Cause       string   `json:"cause"`
	By          *Frame   `json:"by"`
	Stack       []string `json:"stack"`
	BeganBefore bool     `json:"began_before"`

	began Time
}

// CauseSum is of all cycles of one cause.
type CauseSum struct {
	Cause   string  `json:"cause"`
	Count   int     `json:"count"`
	Total   Seconds `json:"total"`
	Longest Seconds `json:"longest"`
}

// Stops are all stops of the world for one reason.
type Stops struct {
	Reason       string  `json:"reason"`
	Count        int     `json:"count"`
	Total        Seconds `json:"total"`
	Longest      Seconds `json:"longest"`
	LongestStart Seconds `json:"longest_start"`
}

// Assist is one mark assist.
type Assist struct {
	Start       Seconds  `json:"start"`
	Duration    Seconds  `json:"duration"`
	Goroutine   int64    `json:"goroutine"`
	Leaf        *Frame   `json:"leaf"`
	Frame       *Frame   `json:"frame"`
	Cycle       *int     `json:"cycle"`
	After       *Seconds `json:"after"`
	Cause       string   `json:"cause"`
	BeganBefore bool     `json:"began_before"`
	GoesOn      bool     `json:"goes_on"`

	began Time
}

// Line sums the assists at one line of the user's code.
type Line struct {
	Frame   *Frame  `json:"frame"`
	Count   int     `json:"count"`
	Total   Seconds `json:"total"`
	Longest Seconds `json:"longest"`
}

// Goroutine sums what one did, in seconds.
type Goroutine struct {
	ID            int64   `json:"goroutine"`
	Function      string  `json:"function"`
	Assists       int     `json:"assists"`
	Assist        Seconds `json:"assist"`
	LongestAssist Seconds `json:"longest_assist"`
	Running       Seconds `json:"running"`
	Waiting       Seconds `json:"waiting"`
	LongestWait   Seconds `json:"longest_wait"`

	state State
	since Time // of the state; unknown if it had it when the trace began
	known bool
	open  *Assist
}

// Latency is how long goroutines waited for a processor.
type Latency struct {
	Count     uint64  `json:"count"`
	P50       Seconds `json:"p50"`
	P99       Seconds `json:"p99"`
	Longest   Seconds `json:"longest"`
	Precision float64 `json:"precision"`
}
