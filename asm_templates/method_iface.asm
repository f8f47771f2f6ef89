;! title    = "the book's benchmark, through the interface: a method that returns the receiver's id"
;! heap     = "iface"
;! types    = "main.id32"
;! methods  = ["idInline", "idNoInline"]
;! params   = { go = ["1.27", "1.26", "1.25", "1.19", "1.10"], method = ["idNoInline", "idInline"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Overhead"
;! book     = [
;!   { row = "go=1.10", section = "II Overhead", count = [8, 2], compiled = 17, published = [{ source = "go-internals II, Overhead", metric = "ns", value = 1.96 }, { source = "go-internals II, Overhead", metric = "cycles", value = 7.88 }, { source = "go-internals II, Overhead", metric = "instructions", value = 20.7 }, { source = "go-internals II, Overhead", metric = "branches", value = 3.31 }, { source = "go-internals II, Overhead", metric = "branch_misses", value = 0.0001 }, { source = "go-internals II, Overhead", metric = "ipc", value = 2.63 }, { source = "go-internals II, Overhead", metric = "ns", ratio = 1.08, to = "method_direct[go=1.10]" }, { source = "article on the interfaces of Go 1.9", metric = "ns", value = 2.16 }, { source = "article on the interfaces of Go 1.9", metric = "ns", ratio = 1.1, to = "method_direct[go=1.10]" }], today = "The two more instructions are there; the 8 % are not, on processors of today: both loops wait for the call and the return, and the extra load fits in beside. What costs is a target that changes." },
;!   { row = "", section = "II Overhead", count = [5, 2], compiled = 13 },
;!   { row = "go=1.10,method=idInline", section = "II Overhead", count = [8, 2], compiled = 17, published = [{ source = "go-internals II, Overhead", metric = "ns", ratio = 5.76, to = "method_inline[go=1.10]" }], today = "The book did not run it again and compares the row before, 1.96, with 0.34. That an interface call can never be inlined is no longer so: Go 1.22 inlines it where it knows the type, and since 1.21 behind a guard where a profile names one." },
;!   { row = "method=idInline", section = "II Overhead", count = [5, 2], compiled = 13 },
;!   { row = "objects=2097152", section = "II Overhead", count = [5, 2], published = [{ source = "go-internals II, Overhead", metric = "ns", value = 3.48 }, { source = "go-internals II, Overhead", metric = "baseline_ns", value = 1.38 }, { source = "go-internals II, Overhead", metric = "net_ns", value = 2.1 }] },
;!   { row = "indexed=true,objects=2097152,stride=32", section = "II Overhead", count = [5, 2], published = [{ source = "go-internals II, Overhead", metric = "ns", value = 19.6 }, { source = "go-internals II, Overhead", metric = "baseline_ns", value = 6.86 }, { source = "go-internals II, Overhead", metric = "net_ns", value = 12.74 }] },
;!   { row = "indexed=true,objects=2097152,order=random", section = "II Overhead", count = [5, 2], published = [{ source = "go-internals II, Overhead", metric = "ns", value = 34.7 }, { source = "go-internals II, Overhead", metric = "baseline_ns", value = 11 }, { source = "go-internals II, Overhead", metric = "net_ns", value = 23.7 }] },
;! ]

; See method_direct. A method that could be inlined is called all the same, through the slot
; before the other's: nothing tells the compiler which one the interface holds.

body:                                   ; rax = itab, rbx = data
{% set fun = 24 if method == "idInline" else 32 %}
{% if abi == "register" %}
        mov  rcx, [rax + {{ fun }}]            ; itab.fun
        mov  rax, rbx
site:   call rcx
{% else %}
        mov  rdx, [rax + {{ fun }}]            ; itab.fun
        mov  [rsp], rbx
site:   call rdx
        mov  eax, [rsp + 8]
{% endif %}

{% for method in methods %}
func "main.(*id32).{{ method }}":
{% if abi == "register" %}
        mov  eax, [rax]
{% else %}
        mov  rax, [rsp + 8]
        mov  eax, [rax]
        mov  [rsp + 16], eax
{% endif %}
        ret
{% endfor %}
