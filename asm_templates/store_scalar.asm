;! title    = "a scalar stored to a global variable: the floor under all conversions"
;! heap     = "pointer"
;! types    = "main.T"
;! params   = { go = ["1.27", "1.19", "1.10"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id"
;! clobbers = "all"
;! source   = "go-internals II, Interface holding a scalar type"
;! book     = [
;!   { row = "go=1.10", section = "II Escape and conversion", count = [2, 0], published = [
;!     { source = "go-internals II, Interface holding a scalar type", metric = "ns", value = 0.54 },
;!   ],
;!     today = "A processor that carries out a taken branch each cycle repeats so short a loop each cycle or two." },
;! ]

; No interface, no call: the load of the value, and its store.

body:                                   ; rax = pointer to the value
        mov  eax, [rax]
        mov  ["main.Sink"], eax

data "main.Sink": dd 0
