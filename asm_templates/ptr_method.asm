;! title    = "call of a pointer method, its type known to the compiler"
;! heap     = "pointer"
;! types    = "main.T"
;! params   = { order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"

; To the machine a pointer method is a function whose first argument is the receiver: the same
; bytes as direct_call under another name. A difference between the two rows is noise.

body:                                   ; rax = *T
site:   call "main.(*T).Id"

func "main.(*T).Id":
        mov  eax, [rax]
        add  eax, 1
        ret
