;! title    = "a scalar stored to a global variable: the floor under all conversions"
;! heap     = "pointer"
;! types    = "main.T"
;! params   = { go = ["1.27", "1.19", "1.10"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id"
;! clobbers = "all"
;! source   = "go-internals II, Interface holding a scalar type"

; No interface, no call: the load of the value, and its store.

body:                                   ; rax = pointer to the value
        mov  eax, [rax]
        mov  ["main.Sink"], eax

data "main.Sink": dd 0
