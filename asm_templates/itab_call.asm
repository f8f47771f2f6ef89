;! title    = "call of a pointer method through an interface"
;! heap     = "iface"
;! types    = "main.T{t}"
;! methods  = ["First", "Second", "Third"]
;! params   = { go = ["1.27", "1.26", "1.25", "1.19", "1.10"], targets = 1, slot = [0, 1, 2], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Overhead, and what it left out"

; An interface value is two words: the itab, and a pointer to the object. The itab holds the
; addresses of the methods, in the order of their names, from offset 24 on (`fun`). The call loads
; one of them and jumps through a register. With one target the branch predictor knows where; with
; many in random order it does not, and that is what costs.

body:                                   ; rax = itab, rbx = data
{% if abi == "register" %}
        mov  rcx, [rax + {{ 24 + 8 * slot }}]  ; itab.fun[{{ slot }}]
        mov  rax, rbx                   ; the receiver is the first argument
site:   call rcx
{% else %}
        mov  rdx, [rax + {{ 24 + 8 * slot }}]  ; itab.fun[{{ slot }}]
        mov  [rsp], rbx                 ; the receiver is the first argument
site:   call rdx
        mov  eax, [rsp + 8]             ; the result stands behind it
{% endif %}

{% for type in types %}
func "main.(*T{{ type.index }}).{{ methods[slot] }}":
{% if abi == "register" %}
        mov  eax, [rax]
        add  eax, {{ type.index + 1 }}
{% else %}
        mov  rax, [rsp + 8]
        mov  eax, [rax]
        add  eax, {{ type.index + 1 }}
        mov  [rsp + 16], eax
{% endif %}
        ret
{% endfor %}

; The methods in the other slots give an answer that no receiver expects, so that a call through
; the wrong slot is a wrong result. They stand behind the ones that run, which keeps those as close
; together as they would be alone.
{% for type in types %}
{% for method in methods if method != methods[slot] %}
func "main.(*T{{ type.index }}).{{ method }}":
        mov  eax, -1
{% if abi == "stack" %}
        mov  [rsp + 16], eax
{% endif %}
        ret
{% endfor %}
{% endfor %}
