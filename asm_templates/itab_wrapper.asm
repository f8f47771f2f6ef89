;! title    = "call of a value method through an interface: itab, wrapper, and the method in it or behind it"
;! heap     = "iface"
;! types    = "main.T{t}"
;! methods  = ["Id"]
;! params   = { go = ["1.27", "1.26", "1.25", "1.19", "1.10"], targets = 1, method = ["inlined", "called"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Indirect method call on interface"

; What an interface call costs where the type has value methods: the itab points to the wrapper,
; which checks the receiver and copies it. A small method is inlined there: one indirect call, one
; return. With `method=called` it is not, so that the wrapper checks the stack and calls the method: a second call
; and return. wrapper_call has each step, and what differs between releases.

{% import "go/wrapper.asm" as go %}
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
{{ go.inlined(type.index + 1) if method == "inlined" else go.calling("main.T" ~ type.index ~ ".Id") }}
{% endfor %}

{% for type in types if method == "called" %}
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
