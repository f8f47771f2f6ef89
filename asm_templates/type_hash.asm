;! title    = "the hash of a type of the language, against the one that the book prints"
;! params   = { go = ["1.10", "1.9"], type = ["uint32", "uint16"] }
;! result   = "eax"
;! expect   = 0
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Type switches"

; An empty interface holds a value of the type; its first word leads to the descriptor, where the hash
; stands at 16. What is left is the difference from the constant in the book's listing of a type switch.

body:
        lea  rax, ["main.value"]
        mov  rax, [rax]                 ; eface._type
        mov  eax, [rax + 16]            ; _type.hash
        sub  eax, {{ -800397251 if type == "uint32" else -269349216 }}

data "main.value":
        dq   "type.{{ type }}", 0
