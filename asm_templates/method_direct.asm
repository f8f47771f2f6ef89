;! title    = "the book's benchmark, direct: a method that returns the receiver's id"
;! heap     = "pointer"
;! types    = "main.id32"
;! params   = { go = ["1.27", "1.26", "1.25", "1.19", "1.10"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Overhead"
;! book     = [
;!   { row = "go=1.10", section = "II Overhead", count = [7, 2], compiled = 15, published = [{ source = "go-internals II, Overhead", metric = "ns", value = 1.8 }, { source = "go-internals II, Overhead", metric = "cycles", value = 7.29 }, { source = "go-internals II, Overhead", metric = "instructions", value = 18.5 }, { source = "go-internals II, Overhead", metric = "branches", value = 3.27 }, { source = "go-internals II, Overhead", metric = "branch_misses", value = 0.0001 }, { source = "go-internals II, Overhead", metric = "ipc", value = 2.54 }, { source = "article on the interfaces of Go 1.9", metric = "ns", value = 1.97 }], today = "The published instructions and cycles are those of the whole benchmark, start included, per iteration: its loop has 17 in Go 1.10, 7 of them the call. A measured row's cycles are those of the whole loop too, its instructions the call's alone." },
;!   { row = "", section = "II Overhead", count = [3, 2], compiled = 10 },
;!   { row = "objects=2097152", section = "II Overhead", count = [3, 2], published = [{ source = "go-internals II, Overhead", metric = "ns", value = 2.32 }, { source = "go-internals II, Overhead", metric = "baseline_ns", value = 0.99 }, { source = "go-internals II, Overhead", metric = "net_ns", value = 1.33 }], today = "The walk has the objects' addresses one behind the other, as the book's slice." },
;!   { row = "indexed=true,objects=2097152,stride=32", section = "II Overhead", count = [3, 2], published = [{ source = "go-internals II, Overhead", metric = "ns", value = 17.1 }, { source = "go-internals II, Overhead", metric = "baseline_ns", value = 5.86 }, { source = "go-internals II, Overhead", metric = "net_ns", value = 11.24 }], today = "Each iteration reads another cache line of the slice and one of the object. An array of numbers says which: the book computes them." },
;!   { row = "indexed=true,objects=2097152,order=random", section = "II Overhead", count = [3, 2], published = [{ source = "go-internals II, Overhead", metric = "ns", value = 30.8 }, { source = "go-internals II, Overhead", metric = "baseline_ns", value = 8.8 }, { source = "go-internals II, Overhead", metric = "net_ns", value = 22 }], today = "Numbers from an array of the same length, whose load is in the baseline." },
;! ]

; The book calls it on one receiver, and on 2097152 receivers one after the other, every 32nd of
; them, and at random. Here the walk holds the pointers in the order of the visits, so its load is always
; sequential, in the empty iteration (`baseline`) as in the full one; the book loads an index and,
; from a slice of pointers, at random.

body:                                   ; rax = *id32
{% if abi == "register" %}
site:   call "main.(*id32).idNoInline"

func "main.(*id32).idNoInline":
        mov  eax, [rax]
        ret
{% else %}
        mov  [rsp], rax
site:   call "main.(*id32).idNoInline"
        mov  eax, [rsp + 8]

func "main.(*id32).idNoInline":
        mov  rax, [rsp + 8]
        mov  eax, [rax]
        mov  [rsp + 16], eax
        ret
{% endif %}
