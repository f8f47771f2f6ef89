;! title    = "call of a function value that names a function or a method"
;! heap     = "pointer"
;! types    = "main.T"
;! params   = { go = ["1.27", "1.26", "1.25", "1.19", "1.10"], holds = ["function", "pointer_method", "value_method", "wrapper"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Function and method calls: the table of calls, which the book leaves out"

; A function value is a pointer to a word that holds the code's address. The call loads that word and
; leaves the pointer itself in rdx, for functions with captured variables (see closure); this
; one has none. `function` is `f := idOf`, `pointer_method` is `f := (*T).Id`: the same bytes.
; `value_method` is `f := T.Id`, called as f(*t): the caller copies the receiver. `wrapper` is
; `f := (*T).Id` of that method, called as f(t): the wrapper copies it (see wrapper_call).

{% set function = {"function": "main.idOf", "pointer_method": "main.(*T).Id", "value_method": "main.T.Id", "wrapper": "main.(*T).Id"}[holds] %}
body:                                   ; rax = *T
{% if abi == "register" %}
{% if holds == "value_method" %}
        mov  eax, [rax]                 ; the copy of the receiver
{% endif %}
        mov  rdx, ["main.f"]            ; the function value
        mov  rcx, [rdx]                 ; its code
site:   call rcx
{% else %}
{% if holds == "value_method" %}
        mov  eax, [rax]
        mov  [rsp], eax
{% else %}
        mov  [rsp], rax
{% endif %}
        mov  rdx, ["main.f"]
        mov  rcx, [rdx]
site:   call rcx
        mov  eax, [rsp + 8]
{% endif %}

data "main.f":
        dq   "{{ function }}·f"
data "{{ function }}·f":
        dq   "{{ function }}"

{% if holds == "wrapper" %}
func "{{ function }}":
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
        call "main.T.Id"
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
        call "main.T.Id"
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
{% endif %}

func "{{ 'main.T.Id' if holds == 'wrapper' else function }}":
{% if abi == "register" %}
{% if holds not in ["value_method", "wrapper"] %}
        mov  eax, [rax]
{% endif %}
{% else %}
{% if holds in ["value_method", "wrapper"] %}
        mov  eax, [rsp + 8]
{% else %}
        mov  rax, [rsp + 8]
        mov  eax, [rax]
{% endif %}
        mov  [rsp + 16], eax
{% endif %}
        ret
