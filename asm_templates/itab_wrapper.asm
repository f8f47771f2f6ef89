;! title    = "call of a value method through an interface: itab, wrapper, method"
;! heap     = "iface"
;! types    = "main.T{t}"
;! methods  = ["Id"]
;! params   = { go = ["1.27", "1.26", "1.25", "1.19", "1.10"], targets = 1, order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Indirect method call on interface"

; What an interface call costs where the type has value methods: the itab points to the wrapper,
; which checks the stack and the receiver, copies the receiver and calls the method (see
; wrapper_call for each step, and for what differs between releases). One indirect call, one direct
; call, two returns.

body:                                   ; rax = itab, rbx = data
{% if abi == "register" %}
        mov  rcx, [rax + 24]            ; itab.fun[0]
        mov  rax, rbx
site:   call rcx
{% else %}
        mov  rdx, [rax + 24]            ; itab.fun[0]
        mov  [rsp], rbx
site:   call rdx
        mov  eax, [rsp + 8]
{% endif %}

{% for type in types %}
func "main.(*T{{ type.index }}).Id":
{% if abi == "register" %}
;! part stack-check
start:  cmp  rsp, [r14 + 16]            ; g.stackguard0
        jbe  more
;! end
{% if go_minor <= 20 %}
        sub  rsp, 16
;! part frame-pointer
        mov  [rsp + 8], rbp
        lea  rbp, [rsp + 8]
;! end
{% else %}
;! part frame-pointer
        push rbp
        mov  rbp, rsp
;! end
        sub  rsp, 8
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
        test rax, rax
        je   nil
;! end
;! part copy
        mov  eax, [rax]                 ; the copy of the receiver
;! end
{% if go_minor <= 25 %}
        xchg ax, ax                     ; as emitted: no call may cross a 32-byte boundary
{% endif %}
        call "main.T{{ type.index }}.Id"
{% if go_minor <= 20 %}
;! part frame-pointer
        mov  rbp, [rsp + 8]
;! end
        add  rsp, 16
{% else %}
        add  rsp, 8
;! part frame-pointer
        pop  rbp
;! end
{% endif %}
{% if go_minor > 25 %}
        nop                             ; as emitted: no ret may end on a 32-byte boundary
{% endif %}
        ret
;! part nil-check
nil:    call "runtime.panicwrap"
        nop
;! end
;! part stack-check
more:   mov  [rsp + 8], rax
        call "runtime.morestack_noctxt"
        mov  rax, [rsp + 8]
        jmp  start
;! end
{% if go_minor <= 25 %}
;! part panic-check
fix:    lea  r13, [rsp + 24]
        cmp  [r12], r13                 ; _panic.argp
        jne  check
        mov  [r12], rsp
        jmp  check
;! end
{% endif %}
{% else %}
start:  mov  rcx, gs:[-8]               ; g
;! part stack-check
        cmp  rsp, [rcx + 16]            ; g.stackguard0
        jbe  more
;! end
        sub  rsp, 24
;! part frame-pointer
        mov  [rsp + 16], rbp
        lea  rbp, [rsp + 16]
;! end
;! part panic-check
        mov  rbx, [rcx + 32]            ; g._panic
        test rbx, rbx
        jne  fix
;! end
check:  mov  rax, [rsp + 32]            ; the receiver
;! part nil-check
        test rax, rax
        je   nil
;! end
;! part copy
        mov  eax, [rax]                 ; its copy
        mov  [rsp], eax
;! end
        call "main.T{{ type.index }}.Id"
        mov  eax, [rsp + 8]
        mov  [rsp + 40], eax
;! part frame-pointer
        mov  rbp, [rsp + 16]
;! end
        add  rsp, 24
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
fix:    lea  rdi, [rsp + 32]
        cmp  [rbx], rdi                 ; _panic.argp
        jne  check
        mov  [rbx], rsp
        jmp  check
;! end
{% endif %}
{% endfor %}

{% for type in types %}
func "main.T{{ type.index }}.Id":
{% if abi == "register" %}
        add  eax, {{ type.index + 1 }}  ; eax = T{{ type.index }}
{% else %}
        mov  eax, [rsp + 8]             ; [rsp + 8] = T{{ type.index }}
        add  eax, {{ type.index + 1 }}
        mov  [rsp + 16], eax
{% endif %}
        ret
{% endfor %}
