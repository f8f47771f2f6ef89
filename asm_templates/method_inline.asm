;! title    = "the book's benchmark, inlined: the receiver's id"
;! heap     = "pointer"
;! types    = "main.id32"
;! params   = { go = ["1.27", "1.26", "1.25", "1.19", "1.10"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id"
;! clobbers = "all"
;! source   = "go-internals II, Overhead"
;! book     = [
;!   { row = "go=1.10", section = "II Overhead", count = [1, 0], compiled = 5, published = [{ source = "go-internals II, Overhead", metric = "ns", value = 0.34 }, { source = "go-internals II, Overhead", metric = "ipc", value = 4.61 }], today = "One load; the rest is the loop. This loop spills its counters as the others do, the compiler's inlined one does not, so that it is faster." },
;!   { row = "", section = "II Overhead", count = [1, 0], compiled = 5 },
;!   { row = "objects=2097152", section = "II Overhead", count = [1, 0], published = [{ source = "go-internals II, Overhead", metric = "ns", value = 0.97 }], today = "The book has no baseline for it." },
;!   { row = "indexed=true,objects=2097152,stride=32", section = "II Overhead", count = [1, 0], published = [{ source = "go-internals II, Overhead", metric = "ns", value = 11.9 }, { source = "go-internals II, Overhead", metric = "baseline_ns", value = 5.96 }, { source = "go-internals II, Overhead", metric = "net_ns", value = 5.94 }] },
;!   { row = "indexed=true,objects=2097152,order=random", section = "II Overhead", count = [1, 0], published = [{ source = "go-internals II, Overhead", metric = "ns", value = 16.9 }, { source = "go-internals II, Overhead", metric = "baseline_ns", value = 9.2 }, { source = "go-internals II, Overhead", metric = "net_ns", value = 7.7 }] },
;! ]

; What is left of method_direct where the compiler inlines the method. No release does it differently.

body:                                   ; rax = *id32
        mov  eax, [rax]
