;! title    = "the hash of a type of the language, against the one that the book prints"
;! params   = { go = ["1.10", "1.9"], type = ["uint32", "uint16"] }
;! result   = "eax"
;! expect   = 0
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Type switches"
;! book     = [
;!   { row = "", section = "II Layout", count = [4, 0], today = "0xd04ae83d: the book's -800397251. It is 0xe927f9e3 in Go 1.19 and 0x16d806e3 in 1.27." },
;!   { row = "type=uint16", section = "II Layout", count = [4, 0], today = "0xeff20ea0: the book's -269349216. It is 0xd9632893 in Go 1.19, which is less than that of uint32, and 0x269cd793 in 1.27." },
;! ]

; An empty interface holds a value of the type; its first word leads to the descriptor, where the hash
; stands at 16. What is left is the difference from the constant in the book's listing of a type switch.

body:
        lea  rax, ["main.value"]
        mov  rax, [rax]                 ; eface._type
        mov  eax, [rax + 16]            ; _type.hash
        sub  eax, {{ -800397251 if type == "uint32" else -269349216 }}

data "main.value":
        dq   "type.{{ type }}", 0
