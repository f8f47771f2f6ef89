;! title    = "call of a pointer method, its type known to the compiler"
;! heap     = "pointer"
;! types    = "main.T"
;! params   = { go = ["1.27", "1.26", "1.25", "1.19", "1.10"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true

; To the machine a pointer method is a function whose first argument is the receiver: the same
; bytes as direct_call under another name. A difference between the two rows is noise.

body:                                   ; rax = *T
{% if abi == "register" %}
site:   call "main.(*T).Id"

func "main.(*T).Id":
        mov  eax, [rax]
        add  eax, 1
        ret
{% else %}
        mov  [rsp], rax
site:   call "main.(*T).Id"
        mov  eax, [rsp + 8]

func "main.(*T).Id":                    ; [rsp + 8] = *T
        mov  rax, [rsp + 8]
        mov  eax, [rax]
        add  eax, 1
        mov  [rsp + 16], eax
        ret
{% endif %}
