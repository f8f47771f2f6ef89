;! title    = "the method's work alone, inlined: the floor of every other row"
;! heap     = "pointer"
;! types    = "main.T"
;! params   = { go = ["1.27", "1.26", "1.25", "1.19", "1.10"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! clobbers = "all"

; What every row of the tour computes: the receiver's id plus a constant of its type. Here the
; compiler has put the method's two instructions where the call stood, so nothing is dispatched, and
; no release does it differently. Objects differ in their ids, and a walk over 64 of them keeps all in
; the nearest cache.

body:                                   ; rax = *T
        mov  eax, [rax]                 ; the id
        add  eax, 1                     ; the constant of type 0
