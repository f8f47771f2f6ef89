;! title    = "a call through an interface, with its wrapper"
;! heap     = "iface"                   ; rax = itab, rbx = pointer to an object
;! types    = "main.T{t}"
;! methods  = ["Id"]                    ; method k stands at 24 + 8 * k of the itab
;! params   = { targets = 1, order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
{% import "go/wrapper.asm" as go %}
body:
        mov  rcx, [rax + 24]            ; itab.fun[0]
        mov  rax, rbx                   ; the receiver
site:   call rcx

{% for type in types %}
func "main.(*T{{ type.index }}).Id":    ; the compiler's wrapper: checks, copies, calls
{{ go.calling("main.T" ~ type.index ~ ".Id") }}
func "main.T{{ type.index }}.Id":       ; the method: eax = the copy of the receiver
        add  eax, {{ type.index + 1 }}
        ret
{% endfor %}
