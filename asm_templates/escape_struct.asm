;! title    = "a struct as receiver: its method called directly, and through an interface made of the value"
;! params   = { go = ["1.27", "1.19"], form = ["direct", "value"] }
;! result   = "eax"
;! expect   = 42
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Overview of the datastructures"

; What escape does with a number, with a number and a string: Addifier(adder).Add(10, 32), from the conversion to the
; result. Go 1.19 and 1.27 see through it: nothing is converted, nothing escapes, and the receiver goes to the method in
; three registers. Go 1.19 still stores it where the copy would have been made from, and loads its first word back.

body:
        mov  rbx, ["main.name"]
        mov  rcx, ["main.name" + 8]
{% if form == "value" and go_minor <= 20 %}
        mov  dword [rsp + 32], 6754     ; the value that was to be converted
        mov  [rsp + 40], rbx
        mov  [rsp + 48], rcx
        mov  eax, [rsp + 32]
{% else %}
        mov  eax, 6754
{% endif %}
        mov  edi, 10
        mov  esi, 32
        call "main.Adder.Add"

func "main.Adder.Add":                  ; eax, rbx and rcx = receiver, edi and esi = arguments
        lea  eax, [rdi + rsi]
        ret

data "main.name": dq "main.text", 5
data "main.text": db "adder"
