;! title    = "interface call as Go 1.9 compiles it without optimisation"
;! heap     = "iface"
;! types    = "main.Adder"
;! methods  = ["Add(int64, int64) int64", "Sub(int64, int64) int64"]
;! params   = { go = ["1.9", "1.10"], order = "cyclic", objects = 64 }
;! result   = "rax"
;! expect   = 42
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! go       = "1.9"
;! source   = "article on the interfaces of Go 1.9, the call without optimisation"

; With -N the compiler keeps every variable in memory: the interface is stored to `m` and loaded
; from there for the call, first the itab, then the data. Arguments are 64-bit here, so they take a store
; each. In Go 1.9 the first method stands at offset 32 of the itab, behind a link that Go 1.10 dropped.
;
; The article does not show the wrapper that the itab points to; it has a value receiver. This is that of
; Go 1.10, and the method keeps its result in memory as -N does.

body:                                   ; rax = itab, rbx = data
        mov  [rsp + 40], rax            ; m
        mov  [rsp + 48], rbx
        mov  rax, [rsp + 40]
        mov  rax, [rax + {{ 32 if go_minor <= 9 else 24 }}]            ; itab.fun[0]
        mov  rcx, [rsp + 48]
        mov  qword [rsp + 8], 10
        mov  qword [rsp + 16], 32
        mov  [rsp], rcx
site:   call rax
        mov  rax, [rsp + 24]

{% for name in ["Add", "Sub"] %}
func "main.(*Adder).{{ name }}":
start:  mov  rcx, gs:[-8]               ; g
;! part stack-check
        cmp  rsp, [rcx + 16]            ; g.stackguard0
        jbe  more
;! end
        sub  rsp, 40
;! part frame-pointer
        mov  [rsp + 32], rbp
        lea  rbp, [rsp + 32]
;! end
;! part panic-check
        mov  rbx, [rcx + 32]            ; g._panic
        test rbx, rbx
        jne  fix
;! end
check:  mov  rax, [rsp + 48]            ; the receiver
;! part nil-check
        test rax, rax
        je   nil
;! end
;! part copy
        mov  eax, [rax]                 ; its copy: the objects here have ids of 32 bits
        mov  [rsp], rax
;! end
        mov  rax, [rsp + 56]
        mov  [rsp + 8], rax
        mov  rax, [rsp + 64]
        mov  [rsp + 16], rax
        call "main.Adder.{{ name }}"
        mov  rax, [rsp + 24]
        mov  [rsp + 72], rax
;! part frame-pointer
        mov  rbp, [rsp + 32]
;! end
        add  rsp, 40
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
fix:    lea  rdi, [rsp + 48]
        cmp  [rbx], rdi                 ; _panic.argp
        jne  check
        mov  [rbx], rsp
        jmp  check
;! end

func "main.Adder.{{ name }}":
        mov  qword [rsp + 32], 0        ; the result
        mov  rax, [rsp + 16]
        {{ "add" if name == "Add" else "sub" }}  rax, [rsp + 24]
        mov  [rsp + 32], rax
        ret
{% endfor %}
