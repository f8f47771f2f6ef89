;! title    = "call of a value method through an interface that holds a pointer"
;! heap     = "iface"
;! types    = "*main.T"
;! methods  = ["Id"]
;! params   = { go = ["1.27", "1.26", "1.10"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Function and method calls"

; The dynamic type is *T and the method belongs to T. The itab for *T is another one than that for T,
; with another type and hash, and its slot leads to the same wrapper: see itab_wrapper, also for the
; releases in between.

body:                                   ; rax = itab of *T, rbx = the pointer
{% if abi == "register" %}
        mov  rcx, [rax + 24]            ; itab.fun[0]
        mov  rax, rbx
site:   call rcx

func "main.(*T).Id":
start:  cmp  rsp, [r14 + 16]            ; g.stackguard0
        jbe  more
        push rbp
        mov  rbp, rsp
        sub  rsp, 8
        test rax, rax
        je   nil
        mov  eax, [rax]                 ; the copy of the receiver
        call "main.T.Id"
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

func "main.T.Id":                       ; eax = T
        ret
{% else %}
        mov  rdx, [rax + 24]            ; itab.fun[0]
        mov  [rsp], rbx
site:   call rdx
        mov  eax, [rsp + 8]

func "main.(*T).Id":
start:  mov  rcx, gs:[-8]               ; g
        cmp  rsp, [rcx + 16]            ; g.stackguard0
        jbe  more
        sub  rsp, 24
        mov  [rsp + 16], rbp
        lea  rbp, [rsp + 16]
        mov  rbx, [rcx + 32]            ; g._panic
        test rbx, rbx
        jne  fix
check:  mov  rax, [rsp + 32]            ; the receiver
        test rax, rax
        je   nil
        mov  eax, [rax]
        mov  [rsp], eax                 ; its copy
        call "main.T.Id"
        mov  eax, [rsp + 8]
        mov  [rsp + 40], eax
        mov  rbp, [rsp + 16]
        add  rsp, 24
        ret
nil:    call "runtime.panicwrap"
        ud2
more:   call "runtime.morestack_noctxt"
        jmp  start
fix:    lea  rdi, [rsp + 32]
        cmp  [rbx], rdi                 ; _panic.argp
        jne  check
        mov  [rbx], rsp
        jmp  check

func "main.T.Id":                       ; [rsp + 8] = T
        mov  eax, [rsp + 8]
        mov  [rsp + 16], eax
        ret
{% endif %}
