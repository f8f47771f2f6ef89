;! title    = "call of a value method through an interface: itab, wrapper, method"
;! heap     = "iface"
;! types    = "main.T{t}"
;! methods  = ["Id"]
;! params   = { targets = 1, order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true

; What an interface call costs where the type has value methods: the itab points to the wrapper,
; which checks the stack and the receiver, copies the receiver and calls the method (see
; wrapper_call for each step). One indirect call, one direct call, two returns.

body:                                   ; rax = itab, rbx = data
        mov  rcx, [rax + 24]            ; itab.fun[0]
        mov  rax, rbx
site:   call rcx

{% for type in types %}
func "main.(*T{{ type.index }}).Id":
start:  cmp  rsp, [r14 + 16]            ; g.stackguard0
        jbe  more
        push rbp
        mov  rbp, rsp
        sub  rsp, 8
        test rax, rax
        je   nil
        mov  eax, [rax]                 ; the copy of the receiver
        call "main.T{{ type.index }}.Id"
        add  rsp, 8
        pop  rbp
        nop                             ; as emitted: no ret may end on a 32-byte boundary
        ret
nil:    call "runtime.panicwrap"
        nop
more:   mov  [rsp + 8], rax
        call "runtime.morestack_noctxt"
        mov  rax, [rsp + 8]
        jmp  start
{% endfor %}

{% for type in types %}
func "main.T{{ type.index }}.Id":       ; eax = T{{ type.index }}
        add  eax, {{ type.index + 1 }}
        ret
{% endfor %}
