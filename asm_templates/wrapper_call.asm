;! title    = "call of the wrapper that makes a value method callable through a pointer"
;! heap     = "pointer"
;! types    = "main.Adder"
;! params   = { go = ["1.27", "1.26", "1.25", "1.19", "1.10"], receiver = ["given", "nil"], recover = [false, true], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true

; For a value method `Adder.Add` the compiler also writes `(*Adder).Add`, because an interface can
; only hold a pointer. That wrapper checks the stack, checks the receiver for nil, copies it and
; calls the method. A nil receiver goes to runtime.panicwrap, which finds the names for its message
; in the symbol of its caller; `-p receiver=nil -p recover=true` times the way there and back.
;
; Up to Go 1.25 the wrapper also tests g._panic (offset 32): where a panic is under way and its
; argument pointer is this call's, it is moved, so that recover() works through the wrapper.

body:                                   ; rax = *Adder
{% if abi == "register" %}
site:   call "main.(*Adder).Add"

func "main.(*Adder).Add":
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
        call "main.Adder.Add"
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
        nop                             ; the return address has to lie inside the function
;! end
;! part stack-check
more:   mov  [rsp + 8], rax             ; the caller keeps room for register arguments
        call "runtime.morestack_noctxt"
        mov  rax, [rsp + 8]
        jmp  start
;! end
{% if go_minor <= 25 %}
;! part panic-check
fix:    lea  r13, [rsp + 24]            ; where this call's arguments would stand
        cmp  [r12], r13                 ; _panic.argp
        jne  check
        mov  [r12], rsp
        jmp  check
;! end
{% endif %}

func "main.Adder.Add":                  ; eax = Adder
        add  eax, 1
        ret
{% else %}
        mov  [rsp], rax                 ; the stack ABI: arguments from rsp upwards
site:   call "main.(*Adder).Add"
        mov  eax, [rsp + 8]             ; and results behind them

func "main.(*Adder).Add":
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
        mov  eax, [rax]                 ; the copy
        mov  [rsp], eax
;! end
        call "main.Adder.Add"
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
fix:    lea  rdi, [rsp + 32]            ; where this call's arguments stand
        cmp  [rbx], rdi                 ; _panic.argp
        jne  check
        mov  [rbx], rsp
        jmp  check
;! end

func "main.Adder.Add":                  ; [rsp + 8] = Adder
        mov  eax, [rsp + 8]
        add  eax, 1
        mov  [rsp + 16], eax
        ret
{% endif %}
