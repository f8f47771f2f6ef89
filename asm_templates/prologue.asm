;! title    = "a function with a frame: its prologue with and without the stack check"
;! heap     = "pointer"
;! types    = "main.T"
;! params   = { go = ["1.27", "1.19", "1.10"], check = [true, false], grow = [false, true], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals I, Splits"

; A function that calls others first compares the stack pointer with the stack's bound, unless it is
; marked nosplit (check=false). Below the bound it asks for a larger stack and starts again
; (grow=true: two instructions of the body raise the bound to the stack's end each time). What is
; modelled is that way, not the copying, which is in stack_copy.

body:                                   ; rax = *T
{% if abi == "register" %}
{% if grow %}
        mov  rcx, [r14 + 8]             ; g.stack.hi
        mov  [r14 + 16], rcx            ; g.stackguard0
{% endif %}
site:   call "main.caller"

func "main.caller":
start:
{% if check %}
        cmp  rsp, [r14 + 16]            ; g.stackguard0
        jbe  more
{% endif %}
{% if go_minor <= 20 %}
        sub  rsp, 16
        mov  [rsp + 8], rbp
        lea  rbp, [rsp + 8]
{% else %}
        push rbp
        mov  rbp, rsp
        sub  rsp, 8
{% endif %}
        call "main.leaf"
{% if go_minor <= 20 %}
        mov  rbp, [rsp + 8]
        add  rsp, 16
{% else %}
        add  rsp, 8
        pop  rbp
{% endif %}
        ret
{% if check %}
more:   mov  [rsp + 8], rax             ; the caller keeps room for register arguments
        call "runtime.morestack_noctxt"
        mov  rax, [rsp + 8]
        jmp  start
{% endif %}

func "main.leaf":                       ; calls nothing: no prologue
        mov  eax, [rax]
        ret
{% else %}
{% if grow %}
        mov  rcx, gs:[-8]               ; g
        mov  rdx, [rcx + 8]             ; g.stack.hi
        mov  [rcx + 16], rdx            ; g.stackguard0
{% endif %}
        mov  [rsp], rax
site:   call "main.caller"
        mov  eax, [rsp + 8]

func "main.caller":
start:
{% if check %}
        mov  rcx, gs:[-8]               ; g
        cmp  rsp, [rcx + 16]            ; g.stackguard0
        jbe  more
{% endif %}
        sub  rsp, 24
        mov  [rsp + 16], rbp
        lea  rbp, [rsp + 16]
        mov  rax, [rsp + 32]
        mov  [rsp], rax
        call "main.leaf"
        mov  eax, [rsp + 8]
        mov  [rsp + 40], eax
        mov  rbp, [rsp + 16]
        add  rsp, 24
        ret
{% if check %}
more:   call "runtime.morestack_noctxt"
        jmp  start
{% endif %}

func "main.leaf":                       ; calls nothing: no prologue
        mov  rax, [rsp + 8]
        mov  eax, [rax]
        mov  [rsp + 16], eax
        ret
{% endif %}

{% if grow and not check %}
;! note a function that does not check never grows the stack
{% endif %}
