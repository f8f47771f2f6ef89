;! title    = "std::visit of a std::variant as GCC makes it: a call through a table of the alternatives"
;! heap     = "pointer"
;! types    = "main.T{t}"
;! object   = "dd id; db index = tag"
;! params   = { go = ["1.27"], targets = { default = 16, min = 1, max = 255 }, order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "beyond go-internals: other languages; g++ 12.2, `-O2`, its own output for a variant of 16 alternatives"

; A variant has the number of its alternative behind the value, one byte up to 255 of them. From 12 alternatives on
; libstdc++ calls through a table that the compiler made for the visitor; below, it writes a switch. No object points
; to a table, so that nothing is loaded but the number and the address. The visitor itself, an empty object on the
; stack, is the first argument, the variant the second.

body:                                   ; rax = the variant
        mov  rsi, rax
        sub  rsp, 24
        lea  rax, ["main.visitors"]
        movzx edx, byte [rsi + 4]       ; the alternative's number
        lea  rdi, [rsp + 15]            ; the visitor
site:   call [rax + rdx*8]
        add  rsp, 24

{% for type in types %}
func "visit<{{ type.index }}>":
        mov  eax, [rsi]
        add  eax, {{ type.index + 1 }}
        ret
{% endfor %}

data "main.visitors":
{% for type in types %}
        dq   "visit<{{ type.index }}>"
{% endfor %}

{% if targets < 12 %}
;! note what-if: libstdc++ writes a switch for fewer than 12 alternatives
{% endif %}
