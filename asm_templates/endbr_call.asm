;! title    = "interface call of methods that begin with endbr64"
;! heap     = "iface"
;! types    = "main.T{t}"
;! methods  = ["Id"]
;! params   = { go = ["1.27"], targets = 1, order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "beyond go-internals: mitigations"

; With indirect branch tracking an indirect call must land on endbr64. C compilers put it at each
; function whose address is taken. Where the tracking is off, as it is for a process that does not ask for it,
; and on processors without it, the instruction does nothing.

body:                                   ; rax = itab, rbx = data
        mov  rcx, [rax + 24]            ; itab.fun[0]
        mov  rax, rbx
site:   call rcx

{% for type in types %}
func "main.(*T{{ type.index }}).Id":
        endbr64
        mov  eax, [rax]
        add  eax, {{ type.index + 1 }}
        ret
{% endfor %}

;! note no Go compiler writes endbr64
