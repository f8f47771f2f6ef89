;! title    = "a method called directly, through an interface made of the value, and of a pointer"
;! params   = { go = ["1.27", "1.19", "1.10", "1.9"], form = ["direct", "value", "pointer"] }
;! result   = "eax"
;! expect   = 42
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Overview of the datastructures"

; Addifier(adder).Add(10, 32): the call that made a value escape to the heap. Up to Go 1.15 the
; conversion allocates a copy (form=value); a pointer in the interface saves the allocation, and the
; compiler knows the method, but it calls the wrapper (form=pointer). By Go 1.19 it sees through
; both: the method is called directly, and nothing escapes.
;
; With go=1.9 this is the article's program, whose receiver and arguments are of type int, and its itab,
; which has a link in front of the hash: the first method stands at 32. The article has no listing of
; wrapper and method; these are those of Go 1.10, for words of 8 bytes.

{% import "go/frames.asm" as frames %}
body:
{% if abi == "register" %}
{% if form == "pointer" and go_minor <= 20 %}
        lea  rdx, ["main.adder"]
        test [rdx], al                  ; faults on nil
        mov  eax, ["main.adder"]
{% elif form == "pointer" %}
        mov  eax, ["main.adder"]
{% else %}
        mov  eax, 6754
{% endif %}
        mov  ebx, 10
        mov  ecx, 32
        call "main.Adder.Add"

func "main.Adder.Add":                  ; eax = receiver, ebx and ecx = arguments
        lea  eax, [rbx + rcx]
        ret
{% elif go_minor <= 9 %}
{% if form == "direct" %}
        mov  qword [rsp], 6754          ; the receiver
        mov  qword [rsp + 8], 10
        mov  qword [rsp + 16], 32
        call "main.Adder.Add"
{% elif form == "value" %}
        mov  qword [rsp + 40], 6754
        lea  rax, ["go.itab.main.Adder,main.Addifier"]
        mov  [rsp], rax
        lea  rcx, [rsp + 40]
        mov  [rsp + 8], rcx
        call "runtime.convT2I64"
        mov  rax, [rsp + 24]            ; data
        mov  rcx, [rsp + 16]            ; tab
        mov  rcx, [rcx + 32]            ; itab.fun[0]
        mov  qword [rsp + 8], 10
        mov  qword [rsp + 16], 32
        mov  [rsp], rax
        call rcx
{% else %}
        lea  rax, ["main.adder"]
        mov  qword [rsp + 8], 10
        mov  qword [rsp + 16], 32
        mov  [rsp], rax
        call "main.(*Adder).Add"
{% endif %}
        mov  rax, [rsp + 24]

func "main.Adder.Add":                  ; [rsp + 8] = receiver, arguments; the result at 32
        mov  rax, [rsp + 16]
        mov  rcx, [rsp + 24]
        add  rax, rcx
        mov  [rsp + 32], rax
        ret

func "main.(*Adder).Add":               ; the wrapper: see wrapper_call
{{ frames.enter(32) }}
{{ frames.panicking() }}
check:  mov  rax, [rsp + 48]            ; the receiver
;! part nil-check
        test rax, rax
        je   nil
;! end
        mov  rax, [rax]
        mov  [rsp], rax
        mov  rax, [rsp + 56]
        mov  [rsp + 8], rax
        mov  rax, [rsp + 64]
        mov  [rsp + 16], rax
        call "main.Adder.Add"
        mov  rax, [rsp + 24]
        mov  [rsp + 72], rax
{{ frames.leave(32) }}
;! part nil-check
nil:    call "runtime.panicwrap"
        ud2
;! end
{{ frames.grow() }}
{{ frames.move_panic(32) }}

data "type.main.Adder": dq 8, 0
        dd hash("main.Adder"), 0
        dq 0, 0, 0
data "go.itab.main.Adder,main.Addifier": dq 0, "type.main.Adder", 0
        dd hash("main.Adder"), 0
        dq "main.(*Adder).Add"
{% else %}
{% if form == "direct" %}
        mov  rax, 0xa00001a62           ; receiver and first argument
        mov  [rsp], rax
        mov  dword [rsp + 8], 32
        call "main.Adder.Add"
        mov  eax, [rsp + 16]
{% elif form == "value" %}
        mov  dword [rsp + 40], 6754
        lea  rax, ["go.itab.main.Adder,main.Addifier"]
        mov  [rsp], rax
        lea  rax, [rsp + 40]
        mov  [rsp + 8], rax
        call "runtime.convT2I32"
        mov  rax, [rsp + 24]            ; data
        mov  rcx, [rsp + 16]            ; tab
        mov  rcx, [rcx + 24]            ; itab.fun[0]
        mov  rdx, 0x200000000a          ; both arguments
        mov  [rsp + 8], rdx
        mov  [rsp], rax
        call rcx
        mov  eax, [rsp + 16]
{% else %}
        lea  rax, ["main.adder"]
        lea  rcx, ["go.itab.main.Adder,main.Addifier"]
        test [rcx], al                  ; left over from the call that it was
        mov  rdx, 0x200000000a          ; both arguments
        mov  [rsp + 8], rdx
        mov  [rsp], rax
        call "main.(*Adder).Add"
        mov  eax, [rsp + 16]
{% endif %}

func "main.Adder.Add":                  ; [rsp + 8] = receiver, arguments; the result at 24
        mov  eax, [rsp + 16]
        mov  ecx, [rsp + 12]
        add  eax, ecx
        mov  [rsp + 24], eax
        ret

func "main.(*Adder).Add":               ; the wrapper: see wrapper_call
{{ frames.enter(24) }}
{{ frames.panicking() }}
check:  mov  rax, [rsp + 40]            ; the receiver
;! part nil-check
        test rax, rax
        je   nil
;! end
        mov  eax, [rax]
        mov  [rsp], eax
        mov  eax, [rsp + 48]
        mov  [rsp + 4], eax
        mov  eax, [rsp + 52]
        mov  [rsp + 8], eax
        call "main.Adder.Add"
        mov  eax, [rsp + 16]
        mov  [rsp + 56], eax
{{ frames.leave(24) }}
;! part nil-check
nil:    call "runtime.panicwrap"
        ud2
;! end
{{ frames.grow() }}
{{ frames.move_panic(24) }}

data "type.main.Adder": dq 4, 0
        dd hash("main.Adder"), 0
        dq 0, 0, 0
data "go.itab.main.Adder,main.Addifier": dq 0, "type.main.Adder"
        dd hash("main.Adder"), 0
        dq "main.(*Adder).Add"
{% endif %}

data "main.adder": dq 6754
