;! title    = "virtual call as Rust makes it: the reference carries the vtable"
;! heap     = "iface"
;! types    = "main.T{t}"
;! methods  = ["id"]
;! params   = { go = ["1.27"], targets = 1, order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "beyond go-internals: other languages"

; `&dyn Trait` is two words as an interface is. Its vtable begins with the destructor, the size and the
; alignment, so that the first method stands at offset 24, where an itab has it too. The address is an operand of
; the call, and `self` is in rdi.

body:                                   ; rax = vtable, rbx = data
        mov  rdi, rbx
site:   call [rax + 24]

{% for type in types %}
func "main.(*T{{ type.index }}).id":
        mov  eax, [rdi]
        add  eax, {{ type.index + 1 }}
        ret
{% endfor %}
