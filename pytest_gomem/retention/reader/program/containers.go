package program

import "strings"

const timerMinor = 23 // channels know their timer

// Header is the type of the object that a map or a channel points to.
func (p *Program) Header(t *Type) *Type {
	if t.header != nil {
		return t.header
	}
	h := &Type{Name: t.Name, key: t.key, element: t.element, descriptor: t.descriptor, in: t.in, Shape: t.Shape}
	switch {
	case t.Kind == Channel:
		h.Kind, h.Size = ChannelHeader, 96
		if p.image.minor >= timerMinor {
			h.Size = 104
		}
		if p.image.minor >= 25 {
			h.Size = 112
		}
	case p.Swiss():
		h.Kind, h.Size = MapHeader, 48
	default:
		h.Kind, h.Size = OldMapHeader, 48
	}
	t.header = p.add(h)
	return h
}

// Timer is the type of the runtime's own object behind a time.Timer or a time.Ticker, called as these are; nil if the
// release has none or it is not known.
func (p *Program) Timer(name string) *Type {
	if t, ok := p.timers[name]; ok {
		return t
	}
	if p.timers == nil {
		p.timers = map[string]*Type{}
	}
	of := "time.Timer"
	if p.image.minor >= timerMinor {
		of = "runtime.timeTimer"
	}
	t := p.Named(of)
	if t != nil {
		t = p.copied(t, name)
	}
	p.timers[name] = t
	return t
}

// TrieNode is the type of a node of a sync.Map or of the unique package: an entry, or one with children.
func (p *Program) TrieNode(node *Type, isEntry bool) *Type {
	kind := "indirect["
	if isEntry {
		kind = "entry["
	}
	name := strings.Replace(node.Name, "node[", kind, 1)
	if t := p.Named(name); t != nil {
		return t
	}
	if t, ok := p.nodes[name]; ok {
		return t
	}
	if p.nodes == nil {
		p.nodes = map[string]*Type{}
	}
	// Go 1.27 describes the shape alone.
	t := p.Named(shaped(name, false))
	if t == nil {
		t = p.Named(shaped(name, true))
	}
	if t != nil {
		t = p.copied(t, name)
		t.Shape = false
	}
	p.nodes[name] = t
	return t
}

// shaped is the name of a generic type for the shapes of its arguments. alike: all pointers have one shape, *uint8.
func shaped(name string, alike bool) string {
	start := strings.IndexByte(name, '[')
	if start < 0 {
		return name
	}
	var arguments []string
	depth, from := 0, start+1
	for i := start + 1; i < len(name); i++ {
		switch c := name[i]; {
		case c == '[' || c == '{':
			depth++
		case c == ',' && depth == 0 || i == len(name)-1:
			argument := name[from:i]
			if alike && strings.HasPrefix(argument, "*") {
				argument = "*uint8"
			}
			arguments = append(arguments, "go.shape."+argument)
			from = i + 1
		case c == ']' || c == '}':
			depth--
		}
	}
	return name[:start+1] + strings.Join(arguments, ",") + "]"
}

// ChannelOf is the type of the header of a channel whose elements have a descriptor, nil if it is none.
func (p *Program) ChannelOf(descriptor uint64) *Type {
	element := p.Descriptor(descriptor)
	if element == nil {
		return nil
	}
	if t, ok := p.channels[element.ID]; ok {
		return t
	}
	if p.channels == nil {
		p.channels = map[int32]*Type{}
	}
	t := p.Header(&Type{Name: "chan " + element.Name, Kind: Channel, element: reference(element.ID)})
	p.channels[element.ID] = t
	return t
}

// copied is a type under another name.
func (p *Program) copied(t *Type, name string) *Type {
	another := *t
	another.Name, another.backing, another.header = name, nil, nil
	return p.add(&another)
}

// Backing is the type of a block of many of t.
func (p *Program) Backing(t *Type) *Type {
	if t.backing == nil {
		if t.Kind == MapHeader || t.Kind == MapTable || t.Kind == OldMapHeader {
			return t
		}
		t.backing = p.add(&Type{
			Name: "[]" + t.Name, Kind: Backing, Size: t.Size, element: reference(t.ID), Shape: t.Shape, Part: t.Part,
		})
	}
	return t.backing
}

// ChannelBuffer is the type of the buffered elements of a channel.
func (p *Program) ChannelBuffer(header, element *Type) *Type {
	if header.backing == nil {
		header.backing = p.add(&Type{
			Name: header.Name, Kind: Backing, Size: element.Size, element: reference(element.ID), Part: true,
		})
	}
	return header.backing
}

// ChannelElement is where a channel header has the descriptor of its elements.
func (p *Program) ChannelElement() uint64 {
	if p.image.minor >= timerMinor {
		return 40
	}
	return 32
}

// Pooled is the type of a sync.Pool's items for each processor.
func (p *Program) Pooled() *Type {
	if p.pooled == nil {
		local := p.Named("sync.poolLocal")
		if local == nil {
			return nil
		}
		p.pooled = p.add(&Type{Name: "sync.Pool", Kind: Backing, Size: local.Size, element: reference(local.ID), Part: true})
	}
	return p.pooled
}
