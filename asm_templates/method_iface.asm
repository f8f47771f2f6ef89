;! title    = "the book's benchmark, through the interface: a method that returns the receiver's id"
;! heap     = "iface"
;! types    = "main.id32"
;! methods  = ["idInline", "idNoInline"]
;! params   = { go = ["1.27", "1.26", "1.25", "1.19", "1.10"], method = ["idNoInline", "idInline"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Overhead"

; See method_direct. A method that could be inlined is called all the same, through the slot
; before the other's: nothing tells the compiler which one the interface holds.

body:                                   ; rax = itab, rbx = data
{% set fun = 24 if method == "idInline" else 32 %}
{% if abi == "register" %}
        mov  rcx, [rax + {{ fun }}]            ; itab.fun
        mov  rax, rbx
site:   call rcx
{% else %}
        mov  rdx, [rax + {{ fun }}]            ; itab.fun
        mov  [rsp], rbx
site:   call rdx
        mov  eax, [rsp + 8]
{% endif %}

{% for method in methods %}
func "main.(*id32).{{ method }}":
{% if abi == "register" %}
        mov  eax, [rax]
{% else %}
        mov  rax, [rsp + 8]
        mov  eax, [rax]
        mov  [rsp + 16], eax
{% endif %}
        ret
{% endfor %}
