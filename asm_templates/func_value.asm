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

{% import "go/wrapper.asm" as go %}
{% set function = {"function": "main.idOf", "pointer_method": "main.(*T).Id", "value_method": "main.T.Id", "wrapper": "main.(*T).Id"}[holds] %}
body:                                   ; rax = *T
{% if abi == "register" %}
{% if holds == "value_method" and go_minor <= 20 %}
        mov  rdx, ["main.f"]            ; the function value
        mov  eax, [rax]                 ; the copy of the receiver
{% else %}
{% if holds == "value_method" %}
        mov  eax, [rax]                 ; the copy of the receiver
{% endif %}
        mov  rdx, ["main.f"]            ; the function value
{% endif %}
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
{{ go.calling("main.T.Id", is_padded=false) }}
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
