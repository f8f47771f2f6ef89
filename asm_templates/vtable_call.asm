;! title    = "virtual call as C++ makes it: the object points to its vtable"
;! heap     = "func"
;! types    = "main.T{t}"
;! methods  = ["vtable"]
;! params   = { go = ["1.27"], targets = 1, slot = [0, 1, 2], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "beyond go-internals: other languages"

; A reference is one word here, and the object's first word leads to the table of its class: the call loads
; two words one after the other, where an interface has the first of them at hand. The method's address
; is an operand of the call. `this` is in rdi.

body:                                   ; rax = the object
        mov  rdi, rax
        mov  rax, [rdi]                 ; its vtable
site:   call [rax + {{ 8 * slot }}]

{% for type in types %}
func "T{{ type.index }}::id":
        mov  eax, [rdi + 8]
        add  eax, {{ type.index + 1 }}
        ret
{% endfor %}
func "pure_virtual":                    ; the other slots
        mov  eax, -1
        ret

{% for type in types %}
data "main.(*T{{ type.index }}).vtable":
{% for other in range(3) %}
        dq   "{{ 'T' ~ type.index ~ '::id' if other == slot else 'pure_virtual' }}"
{% endfor %}
{% endfor %}
