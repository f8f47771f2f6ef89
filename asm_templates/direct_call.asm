;! title    = "call of a function by name: the reference for ratios"
;! heap     = "pointer"
;! types    = "main.T"
;! params   = { order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"

; A function with the receiver as its first argument, which Go's register ABI passes in rax and
; returns in rax. The callee calls nothing and needs no frame, so it has no prologue either.

body:                                   ; rax = *T
site:   call "main.idOf"

func "main.idOf":
        mov  eax, [rax]
        add  eax, 1
        ret
