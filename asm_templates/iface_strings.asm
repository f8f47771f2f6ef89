;! title    = "value method through an interface, its receiver with a string: three words that the wrapper copies, or none"
;! heap     = "iface"
;! types    = "main.Adder"
;! methods  = ["Add(int32, int32) int32", "Sub(int64, int64) int64"]
;! params   = { go = ["1.27", "1.26", "1.25", "1.19", "1.12", "1.10"], method = ["inlined", "called"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = 42
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "article on the interfaces of Go 1.12, The receiver with a string"

; `type Adder struct { id int32; str string }` takes 24 bytes. The receiver is one object, Adder{6754,
; "test"}, as in the article; the heap has the itab. Add(10, 32) does not look at it, so that a wrapper with
; the method in it copies nothing. With `method=called` the register ABI
; carries the copy in three registers, which moves the arguments to the fourth and fifth, and two of its words
; wait elsewhere until these are out of the way; the stack ABI copies all of it from memory to memory.

{% import "go/frames.asm" as frames %}
{% import "go/wrapper.asm" as wrapper %}
body:                                   ; rax = itab, rbx = data
        mov  rbx, ["main.m"]            ; data, the article's object
{% if abi == "register" %}
        mov  rdx, [rax + 24]            ; itab.fun[0]
        mov  rax, rbx
        mov  ebx, 10
        mov  ecx, 32
site:   call rdx
{% else %}
        mov  rdx, [rax + 24]            ; itab.fun[0]
        mov  [rsp], rbx
        mov  rcx, 0x200000000a          ; 10 and 32
        mov  [rsp + 8], rcx
site:   call rdx
        mov  eax, [rsp + 16]
{% endif %}

{% for name in ["Add", "Sub"] %}
{% set wide = name == "Sub" %}
func "main.(*Adder).{{ name }}":
{% if method == "inlined" %}
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
{% elif abi == "register" %}
{% set room = 40 if wide else 32 %}
{{ frames.enter(room) }}
{{ frames.panicking() }}
check:
;! part nil-check
        test rax, rax
        je   nil
;! end
;! part copy
        mov  edx, [rax]                 ; id
        mov  r8, [rax + 8]              ; str: its bytes
        mov  r9, [rax + 16]             ; and its length
        mov  eax, edx
;! end
{% if wide %}
        mov  rdi, rbx                   ; the arguments make room
        mov  rsi, rcx
{% else %}
        mov  edi, ebx                   ; the arguments make room
        mov  esi, ecx
{% endif %}
;! part copy
        mov  rbx, r8
        mov  rcx, r9
;! end
        call "main.Adder.{{ name }}"
{{ frames.leave(room) }}
;! part nil-check
nil:    call "runtime.panicwrap"
        nop
;! end
{{ frames.grow(["rax", "rbx", "rcx"] if wide else ["rax", "ebx", "ecx"]) }}
{{ frames.move_panic(room) }}
{% else %}
{% set room = 48 if wide else 40 %}
{{ frames.enter(room) }}
{{ frames.panicking() }}
check:  mov  rax, [rsp + {{ room + 16 }}]            ; the receiver
;! part nil-check
        test rax, rax
        je   nil
;! end
;! part copy
        mov  rcx, [rax + 8]             ; str: its bytes
        mov  rdx, [rax + 16]            ; and its length
        mov  eax, [rax]                 ; id
        mov  [rsp], eax
        mov  [rsp + 8], rcx
        mov  [rsp + 16], rdx
;! end
{% if wide %}
        mov  rax, [rsp + 72]            ; the arguments
        mov  [rsp + 24], rax
        mov  rax, [rsp + 80]
        mov  [rsp + 32], rax
        call "main.Adder.{{ name }}"
        mov  rax, [rsp + 40]
        mov  [rsp + 88], rax
{% else %}
        mov  eax, [rsp + 64]            ; the arguments
        mov  [rsp + 24], eax
        mov  eax, [rsp + 68]
        mov  [rsp + 28], eax
        call "main.Adder.{{ name }}"
        mov  eax, [rsp + 32]
        mov  [rsp + 72], eax
{% endif %}
{{ frames.leave(room) }}
;! part nil-check
nil:    call "runtime.panicwrap"
        ud2
;! end
{{ frames.grow() }}
{{ frames.move_panic(room) }}
{% endif %}

{% if method == "called" %}
func "main.Adder.{{ name }}":
{% if abi == "register" and wide %}
        sub  rdi, rsi
        mov  rax, rdi
{% elif abi == "register" %}
        lea  eax, [rdi + rsi]
{% elif wide %}
        mov  rax, [rsp + 32]
        mov  rcx, [rsp + 40]
        sub  rax, rcx
        mov  [rsp + 48], rax
{% else %}
        mov  eax, [rsp + 36]
        mov  ecx, [rsp + 32]
        add  eax, ecx
        mov  [rsp + 40], eax
{% endif %}
        ret
{% endif %}
{% endfor %}

data "main.m":
{% if receiver == "nil" %}
        dq   0
{% else %}
        dq   "main.adder"
{% endif %}
data "main.adder":
        dq   6754, "go.string.test", 4
data "go.string.test":
        db   "test"
