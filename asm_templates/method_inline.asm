;! title    = "the book's benchmark, inlined: the receiver's id"
;! heap     = "pointer"
;! types    = "main.id32"
;! params   = { go = ["1.27", "1.26", "1.25", "1.19", "1.10"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id"
;! clobbers = "all"
;! source   = "go-internals II, Overhead"

; What is left of method_direct where the compiler inlines the method. No release does it differently.

body:                                   ; rax = *id32
        mov  eax, [rax]
