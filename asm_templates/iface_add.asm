;! title    = "Add and Sub through the book's interface, which holds a pointer or a value"
;! heap     = "iface"
;! types    = "main.Adder"
;! methods  = ["Add(int32, int32) int32", "Sub(int64, int64) int64"]
;! params   = { go = ["1.27", "1.26", "1.25", "1.19", "1.10"], method = ["Add", "Sub", "Test"], receiver_is = ["value", "pointer"], order = "cyclic", objects = 64 }
;! result   = "rax"
;! expect   = 42
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Indirect method call on interface"

; `type Mather interface { Add(a, b int32) int32; Sub(a, b int64) int64 }` holds an Adder, called as
; Add(10, 32) or Sub(52, 10). With `receiver_is=value` the methods have a value receiver, so that the itab
; points to their wrappers, which copy the receiver and, in the stack ABI, each argument. With `pointer`
; it points to the methods.
;
; `Test` is a method of the same type that the interface does not ask for. The compiler writes it, and a
; wrapper for it, and the itab stays as it is: `dispatchlab show --heap`.

{% set wide = method == "Sub" %}
body:                                   ; rax = itab, rbx = data
{% if abi == "register" %}
{% if method != "Test" %}
        mov  rdx, [rax + {{ 32 if wide else 24 }}]            ; itab.fun
{% endif %}
        mov  rax, rbx                   ; the receiver is the first argument
        mov  ebx, {{ 52 if wide else 10 }}
        mov  ecx, {{ 10 if wide else 32 }}
{% else %}
{% if method != "Test" %}
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
{% if method == "Test" %}
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
{% else %}
func "main.(*Adder).{{ name }}":
{% if abi == "register" %}
;! part stack-check
start:  cmp  rsp, [r14 + 16]            ; g.stackguard0
        jbe  more
;! end
{% if go_minor <= 20 %}
        sub  rsp, 24
;! part frame-pointer
        mov  [rsp + 16], rbp
        lea  rbp, [rsp + 16]
;! end
{% else %}
;! part frame-pointer
        push rbp
        mov  rbp, rsp
;! end
        sub  rsp, 16
{% endif %}
{% if go_minor <= 25 %}
;! part panic-check
        mov  r12, [r14 + 32]            ; g._panic
        test r12, r12
        jne  fix
;! end
{% endif %}
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
{% if go_minor <= 20 %}
;! part frame-pointer
        mov  rbp, [rsp + 16]
;! end
        add  rsp, 24
{% else %}
        add  rsp, 16
;! part frame-pointer
        pop  rbp
;! end
{% endif %}
{% if go_minor > 25 %}
        nop                             ; as emitted
{% endif %}
        ret
;! part nil-check
nil:    call "runtime.panicwrap"
        nop
;! end
;! part stack-check
more:   mov  [rsp + 8], rax
        mov  [rsp + 16], rbx
        mov  [rsp + 24], rcx
        call "runtime.morestack_noctxt"
        mov  rax, [rsp + 8]
        mov  rbx, [rsp + 16]
        mov  rcx, [rsp + 24]
        jmp  start
;! end
{% if go_minor <= 25 %}
;! part panic-check
fix:    lea  r13, [rsp + 32]
        cmp  [r12], r13                 ; _panic.argp
        jne  check
        mov  [r12], rsp
        jmp  check
;! end
{% endif %}
{% else %}
{% set frame = 40 if wide else 32 %}
start:  mov  rcx, gs:[-8]               ; g
;! part stack-check
        cmp  rsp, [rcx + 16]            ; g.stackguard0
        jbe  more
;! end
        sub  rsp, {{ frame }}
;! part frame-pointer
        mov  [rsp + {{ frame - 8 }}], rbp
        lea  rbp, [rsp + {{ frame - 8 }}]
;! end
;! part panic-check
        mov  rbx, [rcx + 32]            ; g._panic
        test rbx, rbx
        jne  fix
;! end
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
;! part frame-pointer
        mov  rbp, [rsp + {{ frame - 8 }}]
;! end
        add  rsp, {{ frame }}
        ret
;! part nil-check
nil:    call "runtime.panicwrap"
        ud2
;! end
;! part stack-check
more:   call "runtime.morestack_noctxt"
        jmp  start
;! end
;! part panic-check
fix:    lea  rdi, [rsp + {{ frame + 8 }}]
        cmp  [rbx], rdi                 ; _panic.argp
        jne  check
        mov  [rbx], rsp
        jmp  check
;! end
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

{% if method == "Test" %}
;! note the interface does not have Test, so its itab has no slot for it: the call names it
{% endif %}
