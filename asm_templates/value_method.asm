;! title    = "call of a value method through a pointer, its type known to the compiler"
;! heap     = "pointer"
;! types    = "main.T"
;! params   = { go = ["1.27", "1.26", "1.25", "1.19", "1.10"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Function and method calls"

; A value method takes a copy of the receiver. The caller makes it: for a struct of one 32-bit
; field, one load into the register that carries the argument, or a load and a store to the stack. A
; nil pointer would fault here, in the caller, without the words of runtime.panicwrap.

body:                                   ; rax = *T
{% if abi == "register" %}
;! part copy
        mov  eax, [rax]                 ; the copy
;! end
site:   call "main.T.Id"

func "main.T.Id":                       ; eax = T
        add  eax, 1
        ret
{% else %}
;! part copy
        mov  ecx, [rax]                 ; the copy
        mov  [rsp], ecx
;! end
site:   call "main.T.Id"
        mov  eax, [rsp + 8]

func "main.T.Id":                       ; [rsp + 8] = T
        mov  eax, [rsp + 8]
        add  eax, 1
        mov  [rsp + 16], eax
        ret
{% endif %}
