;! title    = "Add and Sub through the book's interface, which holds a pointer or a value"
;! heap     = "iface"
;! types    = "main.Adder"
;! methods  = ["Add(int32, int32) int32", "Sub(int64, int64) int64"]
;! params   = { go = ["1.27", "1.26", "1.25", "1.19", "1.10"], calls = ["Add", "Sub", "Test"], method = ["inlined", "called"], receiver_is = ["value", "pointer"], order = "cyclic", objects = 64 }
;! result   = "rax"
;! expect   = 42
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Indirect method call on interface"

; `type Mather interface { Add(a, b int32) int32; Sub(a, b int64) int64 }` holds an Adder, called as
; Add(10, 32) or Sub(52, 10). With `receiver_is=value` the methods have a value receiver, so that the itab
; points to their wrappers. These methods are small, and inlined there; no receiver is copied, for they do not look at
; it. With `method=called` they are called, and the wrappers copy the receiver and, in the stack ABI, each argument.
; With `receiver_is=pointer` the itab points to the methods.
;
; `Test` is a method of the same type that the interface does not ask for. The compiler writes it, and a
; wrapper for it, and the itab stays as it is: `dispatchlab show --heap`.

{% import "go/frames.asm" as frames %}
{% import "go/wrapper.asm" as wrapper %}
{% set wide = calls == "Sub" %}
body:                                   ; rax = itab, rbx = data
{% if abi == "register" %}
{% if calls != "Test" %}
        mov  rdx, [rax + {{ 32 if wide else 24 }}]            ; itab.fun
{% endif %}
        mov  rax, rbx                   ; the receiver is the first argument
        mov  ebx, {{ 52 if wide else 10 }}
        mov  ecx, {{ 10 if wide else 32 }}
{% else %}
{% if calls != "Test" %}
        mov  rdx, [rax + {{ 32 if wide else 24 }}]            ; itab.fun
{% endif %}
{% if wide %}
        mov  qword [rsp + 8], 52
        mov  qword [rsp + 16], 10
{% else %}
        mov  rcx, 0x200000000a          ; 10 and 32
        mov  [rsp + 8], rcx
{% endif %}
        mov  [rsp], rbx                 ; the receiver is the first argument
{% endif %}
{% if calls == "Test" %}
site:   call "main.(*Adder).Test"
{% else %}
site:   call rdx
{% endif %}
{% if abi == "stack" and wide %}
        mov  rax, [rsp + 24]
{% elif abi == "stack" %}
        mov  eax, [rsp + 16]
{% endif %}

{% for name in ["Add", "Sub", "Test"] %}
{% set wide = name == "Sub" %}
{% if receiver_is == "pointer" %}
func "main.(*Adder).{{ name }}":
{% if abi == "register" and wide %}
        sub  rbx, rcx
        mov  rax, rbx
{% elif abi == "register" %}
        lea  eax, [rbx + rcx]
{% elif wide %}
        mov  rax, [rsp + 16]
        mov  rcx, [rsp + 24]
        sub  rax, rcx
        mov  [rsp + 32], rax
{% else %}
        mov  eax, [rsp + 20]
        mov  ecx, [rsp + 16]
        add  eax, ecx
        mov  [rsp + 24], eax
{% endif %}
        ret
{% elif method == "inlined" %}
func "main.(*Adder).{{ name }}":
{{ wrapper.opens() }}
{% if abi == "register" and wide %}
        sub  rbx, rcx
        mov  rax, rbx
{% elif abi == "register" %}
        lea  eax, [rbx + rcx]
{% elif wide %}
        mov  rax, [rsp + 24]
        mov  rcx, [rsp + 32]
        sub  rax, rcx
        mov  [rsp + 40], rax
{% else %}
        mov  eax, [rsp + 28]
        mov  ecx, [rsp + 24]
        add  eax, ecx
        mov  [rsp + 32], eax
{% endif %}
{{ wrapper.closes() }}
{% else %}
func "main.(*Adder).{{ name }}":
{% if abi == "register" %}
{{ frames.enter(16) }}
{{ frames.panicking() }}
check:
;! part nil-check
{% if go_minor <= 25 %}
        nop  dword [rax]                ; as emitted
{% endif %}
        test rax, rax
        je   nil
;! end
;! part copy
        mov  eax, [rax]                 ; the copy of the receiver
;! end
        call "main.Adder.{{ name }}"
{{ frames.leave(16, 1 if go_minor > 25 else 0) }}
;! part nil-check
nil:    call "runtime.panicwrap"
        nop
;! end
{{ frames.grow(["rax", "rbx", "rcx"]) }}
{{ frames.move_panic(16) }}
{% else %}
{% set frame = 40 if wide else 32 %}
{{ frames.enter(frame - 8) }}
{{ frames.panicking() }}
check:  mov  rax, [rsp + {{ frame + 8 }}]            ; the receiver
;! part nil-check
        test rax, rax
        je   nil
;! end
;! part copy
        mov  eax, [rax]                 ; its copy
        mov  [rsp], eax
;! end
{% if wide %}
        mov  rax, [rsp + 56]            ; and that of the arguments, one by one
        mov  [rsp + 8], rax
        mov  rax, [rsp + 64]
        mov  [rsp + 16], rax
        call "main.Adder.{{ name }}"
        mov  rax, [rsp + 24]
        mov  [rsp + 72], rax
{% else %}
        mov  eax, [rsp + 48]            ; and that of the arguments, one by one
        mov  [rsp + 4], eax
        mov  eax, [rsp + 52]
        mov  [rsp + 8], eax
        call "main.Adder.{{ name }}"
        mov  eax, [rsp + 16]
        mov  [rsp + 56], eax
{% endif %}
{{ frames.leave(frame - 8) }}
;! part nil-check
nil:    call "runtime.panicwrap"
        ud2
;! end
{{ frames.grow() }}
{{ frames.move_panic(frame - 8) }}
{% endif %}

func "main.Adder.{{ name }}":
{% if abi == "register" and wide %}
        sub  rbx, rcx
        mov  rax, rbx
{% elif abi == "register" %}
        lea  eax, [rbx + rcx]
{% elif wide %}
        mov  rax, [rsp + 16]
        mov  rcx, [rsp + 24]
        sub  rax, rcx
        mov  [rsp + 32], rax
{% else %}
        mov  eax, [rsp + 16]
        mov  ecx, [rsp + 12]
        add  eax, ecx
        mov  [rsp + 24], eax
{% endif %}
        ret
{% endif %}
{% endfor %}

{% if calls == "Test" %}
;! note the interface does not have Test, so its itab has no slot for it: the call names it
{% endif %}
