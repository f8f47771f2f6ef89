;! title    = "call of a value method through a pointer, its type known to the compiler"
;! heap     = "pointer"
;! types    = "main.T"
;! params   = { order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"

; A value method takes a copy of the receiver. The caller makes it: for a struct of one 32-bit
; field, one load into the register that carries the argument. A nil pointer would fault here, in
; the caller, without the words of runtime.panicwrap.

body:                                   ; rax = *T
        mov  eax, [rax]                 ; the copy
site:   call "main.T.Id"

func "main.T.Id":                       ; eax = T
        add  eax, 1
        ret
